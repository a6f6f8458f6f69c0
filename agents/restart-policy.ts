import { backoffDelay } from '../src/core/backoff.ts'

/** Pure: when to start again what died. */
export interface RestartState {
  /** Deaths in a row, none of them after a stable time of ready. */
  readonly streak: number
  /** When those of the window happened, monotonic milliseconds. */
  readonly deaths: readonly number[]
}

export interface RestartDecision {
  readonly state: RestartState
  readonly delayMs: number
  /** A crash loop: shown as `cycling`, restarted all the same. */
  readonly cycling: boolean
}

export const FRESH_RESTARTS: RestartState = { streak: 0, deaths: [] }

const FIRST_MS = 100
const CAP_MS = 30_000
/** Ready for this long makes earlier deaths count no more. */
const STABLE_MS = 30_000
const CYCLING_AFTER = 3
const WINDOW_MS = 5 * 60_000

/** What follows a death at `now` (monotonic ms) after `readyForMs` of being ready; `random` in [0, 1) spreads the delay. */
export function decideRestart(
  state: RestartState,
  { now, readyForMs, random }: { now: number; readyForMs: number; random: number },
): RestartDecision {
  const before = readyForMs >= STABLE_MS ? FRESH_RESTARTS : state
  const deaths = [...before.deaths.filter(at => now - at < WINDOW_MS), now].slice(-CYCLING_AFTER)
  return {
    state: { streak: before.streak + 1, deaths },
    delayMs: backoffDelay(before.streak, { firstMs: FIRST_MS, capMs: CAP_MS }, random),
    cycling: deaths.length >= CYCLING_AFTER,
  }
}
