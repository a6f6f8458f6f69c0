import type { TargetState } from '../routing/target.ts'

/** It is not passed over for having failed. */
export function isSettled(target: TargetState): boolean {
  return target.avoidUntil === 0
}

/** It may be given a request: not full, not failed on by this one, not passed over, or time for one request to try it. */
export function isUsable(target: TargetState, tried: ReadonlySet<TargetState> | null, now: number): boolean {
  return (
    target.inFlight < target.cap &&
    (target.avoidUntil === 0 || (target.avoidUntil <= now && target.trials === 0)) &&
    (tried === null || !tried.has(target))
  )
}

/** It refused a connection a moment ago, or did and one request tries it now. */
export function isRefusing(target: TargetState, now: number): boolean {
  return now < target.refusedUntil || (target.refusedUntil !== 0 && target.trials > 0)
}

/** It has less in flight for its weight. */
export function isLess(target: TargetState, other: TargetState): boolean {
  return target.inFlight * other.weight < other.inFlight * target.weight
}
