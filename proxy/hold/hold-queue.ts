import type { DataPlaneLimits } from '../../src/contracts/routing.ts'

/** A request that waits for an instance to become ready. */
export interface Held {
  /** Monotonic milliseconds. */
  readonly heldSince: number
  /** Bytes kept for it. */
  readonly heldBytes: number
  /** A new table is current: choose again. Removes itself from the queue if it need not wait any longer. */
  tryAgain(): void
  /** It waited for holdTimeout. */
  expire(): void
}

/** Requests held because nothing is ready but something is expected to be; bounded in count, bytes and time, in order of arrival. */
export class HoldQueue {
  readonly #held = new Set<Held>()
  #bytes = 0

  get size(): number {
    return this.#held.size
  }

  /** False if it is full: the request is answered 503. */
  add(held: Held, limits: DataPlaneLimits): boolean {
    if (this.#held.has(held)) return true
    if (this.#held.size >= limits.holdMax || this.#bytes + held.heldBytes > limits.holdBytes) return false
    this.#held.add(held)
    this.#bytes += held.heldBytes
    return true
  }

  /** More of a held request's body came in. False: stop reading it. */
  grow(bytes: number, limits: DataPlaneLimits): boolean {
    this.#bytes += bytes
    return this.#bytes <= limits.holdBytes
  }

  remove(held: Held): void {
    if (this.#held.delete(held)) this.#bytes -= held.heldBytes
  }

  releaseInOrder(): void {
    for (const held of Array.from(this.#held)) held.tryAgain()
  }

  expireAt(now: number, limits: DataPlaneLimits): void {
    for (const held of this.#held) {
      // In order of arrival: the first that is young enough ends the search.
      if (now - held.heldSince < limits.holdTimeoutMs) return
      held.expire()
    }
  }
}
