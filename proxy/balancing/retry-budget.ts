/** How many replays may be saved up. */
const CAP = 100
/** Each request that arrives pays for this part of a replay. */
const PER_REQUEST = 0.2
const PER_SECOND = 10

/** Bounds replays to a share of the traffic, so that a failing pool is not stormed by its own retries. */
export class RetryBudget {
  #tokens = CAP
  #refilledAt = 0

  onRequest(): void {
    if (this.#tokens < CAP) this.#tokens += PER_REQUEST
  }

  /** Spends one replay at `now` (milliseconds, monotonic); false if there is none left. */
  take(now: number): boolean {
    if (this.#refilledAt > 0) this.#tokens += ((now - this.#refilledAt) / 1000) * PER_SECOND
    this.#tokens = Math.min(this.#tokens, CAP)
    this.#refilledAt = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
