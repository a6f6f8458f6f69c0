/** `wait`, `stable` and `retry` are one stopwatch of a domain's health check, in turn; the others are time-outs. */
export type UpgradeClockName = 'wait' | 'stable' | 'retry' | 'domain' | 'upgrade'

/** One clock of a monitored upgrade. */
export interface UpgradeClockView {
  readonly name: UpgradeClockName
  readonly elapsedMs: number
  /** null: never ends anything. */
  readonly limitMs: number | null
  /** Does it go on by itself? */
  readonly running: boolean
}
