import type { CompiledPool } from '../routing/snapshot.ts'
import type { TargetState } from '../routing/target.ts'
import { isUsable } from './usable.ts'

/**
 * Of two different instances drawn at random, each by its share, the one with less in flight for its share. Null: none is
 * usable.
 */
export function chooseLeast(
  { ready, state, isEven }: CompiledPool,
  tried: ReadonlySet<TargetState> | null,
  now: number,
  random: () => number,
): TargetState | null {
  // Nearly always all shares are equal and whoever is drawn is usable.
  if (isEven && now >= state.rampUntil) {
    const count = ready.length
    const first = count === 1 ? 0 : Math.floor(random() * count)
    const a = ready[first]
    if (a === undefined) return null
    const isGood = isUsable(a, tried, now)
    if (count === 1) return isGood ? a : null
    // An index of the others, each as likely.
    const b = ready[(first + 1 + Math.floor(random() * (count - 1))) % count]
    if (b !== undefined && isGood && isUsable(b, tried, now)) return a.inFlight <= b.inFlight ? a : b
  }
  const a = draw(ready, null, tried, now, random)
  if (a === null) return null
  const b = draw(ready, a, tried, now, random)
  return b !== null && b.inFlight * a.weightAt(now) < a.inFlight * b.weightAt(now) ? b : a
}

/** One of the usable ones other than `besides`, by their shares. */
function draw(
  ready: readonly TargetState[],
  besides: TargetState | null,
  tried: ReadonlySet<TargetState> | null,
  now: number,
  random: () => number,
): TargetState | null {
  let sum = 0
  for (const target of ready) if (target !== besides && isUsable(target, tried, now)) sum += target.weightAt(now)
  let left = random() * sum
  let last: TargetState | null = null
  for (const target of ready) {
    if (target === besides || !isUsable(target, tried, now)) continue
    left -= target.weightAt(now)
    if (left < 0) return target
    last = target
  }
  return last
}
