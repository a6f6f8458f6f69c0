import { performance } from 'node:perf_hooks'

const SWEEP_MS = 100
/** A sweep this late means that this process stood still: what waits is not to blame. */
const STALL_MS = 1000

/** Has clocks looked at ten times a second, but not right after this process stood still. Times are monotonic milliseconds. */
export class Sweep {
  #last = performance.now()
  #stoodStillUntil = 0
  readonly #look: (now: number, last: number) => void
  readonly #timer: NodeJS.Timeout

  /** `look` is told the moment of the sweep before, too. */
  constructor(look: (now: number, last: number) => void) {
    this.#look = look
    this.#timer = setInterval(() => this.#turn(), SWEEP_MS)
    this.#timer.unref()
  }

  /** This process stood still just now: what is late or was given up may be its own doing. */
  stoodStill(now: number): boolean {
    return now - this.#last > STALL_MS || now < this.#stoodStillUntil
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #turn(): void {
    const now = performance.now()
    const last = this.#last
    this.#last = now
    // Answers may be waiting to be read: looks again at the next sweep.
    if (now - last > STALL_MS) this.#stoodStillUntil = now + STALL_MS
    else this.#look(now, last)
  }
}
