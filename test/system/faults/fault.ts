import type { Losses } from './support/losses.ts'
import type { Trial } from './support/trial.ts'
import type { Tool } from './support/tools.ts'

/** One fault: what is done to the real system, and what must come of it. */
export interface Fault {
  /** `F1`, or `F1.idle` where a fault has several forms. */
  readonly id: string
  readonly name: string
  readonly injected: string
  readonly expected: string
  /** Without one of these it is skipped, and says so. */
  readonly needs?: readonly Tool[]
  run(trial: Trial): Promise<Finding>
}

/** What was seen, in words; whether it was as expected is in the trial's checks. */
export interface Finding {
  readonly seen: string
  /** Of the clients while it happened; left out where there was no load. */
  readonly losses?: Losses
}
