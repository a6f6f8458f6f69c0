import { createHash, timingSafeEqual } from 'node:crypto'
import type { Token } from '../../core/token-file.ts'
import type { Caller } from './caller.ts'

interface Known {
  readonly digest: Buffer
  readonly caller: Caller
}

/** The tokens that are valid now. */
export class Tokens {
  #known: readonly Known[] = []

  constructor(tokens: readonly Token[]) {
    this.replace(tokens)
  }

  get size(): number {
    return this.#known.length
  }

  /** From now on these are valid and no others. */
  replace(tokens: readonly Token[]): void {
    const before = this.#known
    this.#known = tokens.map(({ name, role, token }) => {
      const known = { digest: digestOf(token), caller: { name, role, means: 'token' } as const }
      // Who stays as he was stays the same caller: what he has open goes on.
      return before.find(each => isSame(each, known)) ?? known
    })
  }

  /** Whose token it is; null: nobody's. All are compared, so that the time taken tells nothing. */
  find(token: string): Caller | null {
    const asked = digestOf(token)
    const [found] = this.#known.filter(({ digest }) => timingSafeEqual(asked, digest))
    return found?.caller ?? null
  }

  /** Is it still one of those callers? */
  has(caller: Caller): boolean {
    return this.#known.some(known => known.caller === caller)
  }
}

function isSame(a: Known, b: Known): boolean {
  return a.digest.equals(b.digest) && a.caller.name === b.caller.name && a.caller.role === b.caller.role
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
