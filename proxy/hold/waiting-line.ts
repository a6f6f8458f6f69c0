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

/** Whose line it is: a pool's, whose instances are waited for, or a paused address's. */
export interface LineOwner {
  readonly line: WaitingLine
  /** Its line is let go little by little (balancing/pacing.ts), and so is the line that those in it go on to. */
  readonly pacing: boolean
  /** Instances take requests, and each has as many as it may. */
  readonly isBusy: boolean
  /** An operator holds it: time spent here is not taken off what a request may wait for an instance. */
  readonly isPause: boolean
  /** Nobody waits any more. */
  emptied(): void
  /** One waited for as long as it may. */
  expired(): void
}

/** A place in a line. */
export class Place {
  readonly waiting: Waiting
  readonly owner: LineOwner
  bytes: number
  before: Place | null = null
  after: Place | null = null

  constructor(waiting: Waiting, owner: LineOwner) {
    this.waiting = waiting
    this.owner = owner
    this.bytes = waiting.heldBytes
  }
}

/** Those who wait in one line, in the order in which they began to. */
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
