import { createHash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { VipswapError } from '../../core/errors.ts'

interface Source {
  /** Which wrong ones it sent: one that is sent again and again is a forgotten setting, and no guess. */
  readonly guesses: string[]
  count: number
  /** Until then nothing of it is looked at; milliseconds of the clock. */
  blockedUntil: number
  lastAt: number
}

/** Wrong tokens that cost nothing. */
const FREE = 10
const FIRST_DELAY_MS = 1000
const MAX_DELAY_MS = 60_000
/** Quiet for so long, a source begins anew. */
const FORGET_MS = 10 * 60_000
const MAX_SOURCES = 10_000
const REMEMBERED_GUESSES = 16

/**
 * Slows down who guesses: after ten different wrong tokens from one address nothing from there is looked at for a second,
 * and for twice as long after each further one, up to a minute. Other addresses do not notice. Memory is bounded.
 */
export class FailedAttempts {
  readonly #now: () => number
  /** The one that failed last comes last. */
  readonly #sources = new Map<string, Source>()

  /** `now` in milliseconds; default a clock that does not jump. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  get size(): number {
    return this.#sources.size
  }

  /** Throws `too_many_attempts` with `retryAfter` in seconds where that address has to wait. */
  check(address: string): void {
    const source = this.#sources.get(keyOf(address))
    const left = source === undefined ? 0 : source.blockedUntil - this.#now()
    if (left <= 0) return
    const retryAfter = Math.ceil(left / 1000)
    throw new VipswapError(
      'too_many_attempts',
      `too many wrong tokens from ${address}; try again in ${retryAfter} s, or from another address`,
      { retryAfter },
    )
  }

  /** That address sent a wrong one. */
  failed(address: string, secret: string): void {
    const now = this.#now()
    this.#forget(now)
    const key = keyOf(address)
    const source = this.#sources.get(key) ?? { guesses: [], count: 0, blockedUntil: 0, lastAt: now }
    this.#sources.delete(key)
    this.#sources.set(key, source)
    source.lastAt = now
    const guess = createHash('sha256').update(secret).digest('base64').slice(0, 16)
    if (source.guesses.includes(guess)) return
    source.guesses.push(guess)
    if (source.guesses.length > REMEMBERED_GUESSES) source.guesses.shift()
    source.count += 1
    if (source.count <= FREE) return
    source.blockedUntil = now + Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (source.count - FREE - 1))
  }

  #forget(now: number): void {
    for (const [key, { lastAt }] of this.#sources) {
      if (now - lastAt < FORGET_MS && this.#sources.size < MAX_SOURCES) return
      this.#sources.delete(key)
    }
  }
}

/** One caller can take any address of its IPv6 network. */
function keyOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.split('%')[0]?.split('::') ?? []
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const middle =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  return [...left, ...middle, ...right]
    .slice(0, 4)
    .map(group => group.toLowerCase().padStart(4, '0'))
    .join(':')
}
