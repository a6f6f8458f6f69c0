/** Replays in a period that are always allowed, so that a pool with little traffic has some too: 10 per second. */
const ALWAYS = 100
/** Beyond that, each request that arrives pays for this part of a replay. */
const PER_REQUEST = 0.2
const PERIOD_MS = 10_000

/**
 * Bounds a pool's replays to a share of its traffic, so that a failing pool is not stormed by its own retries, and takes
 * nothing from others. In the present period of 10 s and the one before together there are at most 100 replays and one
 * for every five requests.
 */
export class RetryBudget {
  /** Requests that arrived in the present period. Counted by whoever gives a request its first instance. */
  requests = 0
  #requestsBefore = 0
  #spent = 0
  #spentBefore = 0
  #endsAt = 0

  /** Ends the period if its time has come at `now` (milliseconds, monotonic). Called often. */
  turn(now: number): void {
    if (now < this.#endsAt) return
    // What is older than two periods no longer counts.
    const isLong = now >= this.#endsAt + PERIOD_MS
    this.#requestsBefore = isLong ? 0 : this.requests
    this.#spentBefore = isLong ? 0 : this.#spent
    this.requests = 0
    this.#spent = 0
    this.#endsAt = now + PERIOD_MS
  }

  /** Spends one replay; false if there is none left. */
  take(): boolean {
    const allowed = ALWAYS + PER_REQUEST * (this.requests + this.#requestsBefore)
    if (this.#spent + this.#spentBefore + 1 > allowed) return false
    this.#spent++
    return true
  }
}
