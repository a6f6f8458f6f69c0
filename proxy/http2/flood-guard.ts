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
  /** Below zero by as much as payload was read and is not earned yet. */
  #overhead = OVERHEAD
  #read = 0
  #lastReset: number
  #lastRead: number

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

  /** Octets on the wire that served a request; window updates come later than the answers that earn them. */
  earn(octets: number): void {
    this.#overhead += octets
  }

  /**
   * `read`: all octets read from the client so far; `unused`: how many of them wait in streams to be used. False: too much
   * of the rest was to no purpose.
   */
  allowRead(read: number, unused: number, now: number): boolean {
    const refill = ((now - this.#lastRead) / 1000) * OVERHEAD_PER_SECOND
    this.#overhead = Math.min(OVERHEAD, this.#overhead + refill - (read - this.#read))
    this.#lastRead = now
    this.#read = read
    return this.#overhead + unused >= 0
  }
}
