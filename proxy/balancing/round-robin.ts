import type { CompiledPool } from '../routing/snapshot.ts'
import type { TargetState } from '../routing/target.ts'
import type { Asker } from './choose.ts'
import { isUsable } from './usable.ts'

/**
 * Each in its turn, as often as its share says and evenly spread: with every choice each usable instance is owed its share,
 * the one owed most is chosen and pays for all. What is owed lasts over tables, as the targets do. Null: none is usable.
 */
export function chooseInTurn({ ready }: CompiledPool, { tried }: Asker, now: number): TargetState | null {
  let best: TargetState | null = null
  let sum = 0
  for (const target of ready) {
    if (!isUsable(target, tried, now)) continue
    const share = target.weightAt(now)
    target.turn += share
    sum += share
    if (best === null || target.turn > best.turn) best = target
  }
  if (best !== null) best.turn -= sum
  return best
}
