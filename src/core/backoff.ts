export interface BackoffOptions {
  /** First delay in milliseconds. */
  readonly firstMs: number
  /** No delay is longer. */
  readonly capMs: number
  /** Each delay is this many times the one before. Default 2. */
  readonly factor?: number
}

/** Delay in milliseconds before attempt `attempt` (0 is the first retry); `random` in [0, 1) spreads it over its upper half. */
export function backoffDelay(attempt: number, { firstMs, capMs, factor = 2 }: BackoffOptions, random = 1): number {
  const full = Math.min(capMs, firstMs * factor ** Math.min(attempt, 60))
  return full / 2 + (full / 2) * random
}
