/** Requests given up before their answer: this many at once, then this many a second (CVE-2023-44487 and its kin). */
const RESETS = 200
const RESETS_PER_SECOND = 50
/** Octets that are neither payload nor heads of requests (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty frames). */
const OVERHEAD = 1024 * 1024
const OVERHEAD_PER_SECOND = 128 * 1024
/** What a frame may honestly cost beside its payload: its head, padding, a window update on each level. */
export const PER_FRAME = 64

/** Tells a client that makes a session work without asking for anything. Token buckets, filled by the clock. */
export class FloodGuard {
  #resets = RESETS
  #overhead = OVERHEAD
  #earned = 0
  #read = 0
  #lastReset = 0
  #lastRead = 0

  constructor(now: number) {
    this.#lastReset = now
    this.#lastRead = now
  }

  /** A request was given up by the client, or broke, before its answer was whole. False: too many. */
  allowReset(now: number): boolean {
    this.#resets = Math.min(RESETS, this.#resets + ((now - this.#lastReset) / 1000) * RESETS_PER_SECOND)
    this.#lastReset = now
    return --this.#resets >= 0
  }

  /** Octets on the wire that served a request. */
  earn(octets: number): void {
    this.#earned += octets
  }

  /** `read`: all octets read from the client so far. False: too much of it was to no purpose. */
  allowRead(read: number, now: number): boolean {
    const refill = ((now - this.#lastRead) / 1000) * OVERHEAD_PER_SECOND
    const left = this.#earned - (read - this.#read)
    this.#lastRead = now
    this.#read = read
    // Window updates come later than the answers that earned them.
    this.#earned = Math.max(0, Math.min(left, OVERHEAD))
    const spent = Math.max(0, -left)
    this.#overhead = Math.min(OVERHEAD, this.#overhead + refill) - spent
    return this.#overhead >= 0
  }
}
