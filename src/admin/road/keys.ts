import { randomBytes } from 'node:crypto'
import { VipswapError } from '../../core/errors.ts'
import type { Slot } from '../../model/slot.ts'
import type { Caller } from '../access/caller.ts'
import type { RoadAddress } from './address.ts'

const LIFETIME_MS = 60 * 60 * 1000
/** The oldest go first: whoever opens more than so many within an hour is no person. */
const MAX_KEYS = 1000
/** RFC 4648 section 6, in lower case: it stands in paths. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const KEY_LENGTH = 26

export type Place = Pick<RoadAddress, 'service' | 'slot' | 'instance'>

/** Where a key leads that is none: it finds nothing there. */
const NOWHERE: Place = { service: '-', slot: 'production', instance: '-' }

interface Opened extends Place {
  readonly deployment: string | null
  readonly maker: Caller
  readonly expiresAt: number
}

/**
 * Keys of the road to one instance: who has one needs no token, since a browser sends none for a page and what the page
 * loads. Each is 130 random bits that lead to one instance of one deployment, for an hour and for this process's life.
 */
export class RoadKeys {
  readonly #opened = new Map<string, Opened>()
  readonly #deploymentIn: (service: string, slot: Slot) => string | null

  constructor(deploymentIn: (service: string, slot: Slot) => string | null) {
    this.#deploymentIn = deploymentIn
  }

  /** A new key, and until when it is good (Unix milliseconds). */
  make({ service, slot, instance }: Place, maker: Caller, now: number): { key: string; expiresAt: number } {
    const key = Array.from(randomBytes(KEY_LENGTH), byte => ALPHABET.charAt(byte % ALPHABET.length)).join('')
    const expiresAt = now + LIFETIME_MS
    this.#opened.set(key, {
      service,
      slot,
      instance,
      deployment: this.#deploymentIn(service, slot),
      maker,
      expiresAt,
    })
    for (const [oldest] of this.#opened) {
      if (this.#opened.size <= MAX_KEYS) break
      this.#opened.delete(oldest)
    }
    return { key, expiresAt }
  }

  /** Where a key leads, without a look at whether it is good. */
  placeOf(key: string): Place {
    return this.#opened.get(key) ?? NOWHERE
  }

  /** Who made the key in an address. Throws `forbidden` where it is none, is over, or was made for something else. */
  makerOf({ key, service, slot, instance }: RoadAddress, now: number): Caller {
    const opened = key === null ? undefined : this.#opened.get(key)
    const isOfPlace =
      opened !== undefined &&
      opened.service === service &&
      opened.slot === slot &&
      opened.instance === instance &&
      opened.deployment === this.#deploymentIn(service, slot)
    if (opened === undefined || !isOfPlace)
      throw new VipswapError(
        'forbidden',
        'this address does not lead to an instance as it is deployed now; open it again',
      )
    if (opened.expiresAt <= now)
      throw new VipswapError('forbidden', `this address was good for an hour; open ${instance} again`)
    return opened.maker
  }
}
