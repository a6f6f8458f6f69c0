import type { PoolState } from '../routing/pool-state.ts'

/** A request that waits for an instance to become ready, or free. */
export interface Waiting {
  /** Monotonic milliseconds; stays when it waits again. */
  readonly heldSince: number
  /** Bytes kept for it. */
  readonly heldBytes: number
  /** Where it waits; null while it does not. */
  place: Place | null
  /** Choose again from the table now current. Leaves its place if it need not wait any longer. */
  tryAgain(): void
  /** It waited for holdTimeout. */
  expire(): void
}

/** A place in a pool's line. */
export class Place {
  readonly waiting: Waiting
  readonly pool: PoolState
  bytes: number
  before: Place | null = null
  after: Place | null = null

  constructor(waiting: Waiting, pool: PoolState) {
    this.waiting = waiting
    this.pool = pool
    this.bytes = waiting.heldBytes
  }
}

/** Those who wait for instances of one pool, in the order in which they began to. */
export class WaitingLine {
  first: Place | null = null
  last: Place | null = null
  count = 0
  bytes = 0
  /** The line is being let go: nobody else does. */
  moving = false

  add(place: Place): void {
    this.count++
    this.bytes += place.bytes
    const since = place.waiting.heldSince
    let after: Place | null = null
    if (this.last !== null && this.last.waiting.heldSince > since) {
      // One that waited before and was let go: it was among the first.
      after = this.first
      while (after !== null && after.waiting.heldSince <= since) after = after.after
    }
    const before = after === null ? this.last : after.before
    place.before = before
    place.after = after
    if (before === null) this.first = place
    else before.after = place
    if (after === null) this.last = place
    else after.before = place
  }

  remove(place: Place): void {
    this.count--
    this.bytes -= place.bytes
    if (place.before === null) this.first = place.after
    else place.before.after = place.after
    if (place.after === null) this.last = place.before
    else place.after.before = place.before
  }
}
