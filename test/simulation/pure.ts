import type { Applied } from '../../src/fabric/apply.ts'
import type { Input } from '../../src/fabric/input.ts'
import type { FabricState } from '../../src/fabric/state.ts'
import type { Moment } from '../../src/core/clock.ts'
import type { FabricRules } from './fabric-rules.ts'
import type { World } from './world.ts'

/** Applies an input once more, on frozen data: the answer must be the same, and nothing may have been written to. */
export function assertPure(
  world: World,
  rules: FabricRules,
  { before, input, now }: { before: FabricState; input: Input; now: Moment },
  applied: Applied,
): void {
  deepFreeze([before, input])
  const again = rules.apply(before, input, now)
  if (JSON.stringify(applied) !== JSON.stringify(again)) world.fail('pure', `apply(${input.kind}) gave two answers`)
  deepFreeze(applied.state)
}

export function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
}
