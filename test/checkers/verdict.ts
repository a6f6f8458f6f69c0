/** A rule that was broken. */
export interface Violation {
  /** Milliseconds since 1970, on the recording's clock. */
  readonly at: number
  readonly text: string
}

/** What a checker says of a history. */
export interface Verdict {
  readonly name: string
  /** How many of what were judged: a checker that found nothing to judge has shown nothing. */
  readonly judged: number
  readonly of: string
  readonly violations: readonly Violation[]
}
