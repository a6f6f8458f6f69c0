import type { PoolState } from '../routing/pool-state.ts'
import type { TargetState } from '../routing/target.ts'
import { shareOf } from './share.ts'

// After an outage a whole line waits for whatever becomes ready. It is let go as an instance shows that it keeps up: a few
// requests at first, two for each that is answered, and a little more with time, so that slow answers (or ones that never
// end) do not keep the line until it expires. Over once the line is empty.

/** Requests at once on one instance at first, beside those it has; of all workers together. */
const FIRST = 16
/** More with every sweep (100 ms): twice as many after a second. */
const GROWTH = 2 ** 0.1

/** Requests were held: from here on they are let go little by little. */
export function beginPacing(pool: PoolState): void {
  if (pool.pacing) return
  pool.pacing = true
  for (const target of pool.ready) first(target)
}

/** Nobody waits any more. */
export function endPacing(pool: PoolState): void {
  pool.pacing = false
  for (const target of pool.ready) target.cap = target.limit
}

/** A new table names `target`; `isNew`: it has just become ready. */
export function pace(target: TargetState, isNew: boolean): void {
  if (!target.pool.pacing) target.cap = target.limit
  else if (isNew) first(target)
  else target.cap = Math.min(target.cap, target.limit)
}

/** `target` has begun to answer one. */
export function growByAnswer(target: TargetState): void {
  target.cap = Math.min(target.limit, target.cap + 1)
}

/** Once per sweep. */
export function growByTime(pool: PoolState): void {
  for (const target of pool.ready) target.cap = Math.min(target.limit, target.cap * GROWTH)
}

function first(target: TargetState): void {
  target.cap = Math.min(target.limit, target.inFlight + shareOf(FIRST, target.pool.workers))
}
