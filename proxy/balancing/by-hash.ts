import type { CompiledPool } from '../routing/snapshot.ts'
import type { TargetState } from '../routing/target.ts'
import type { Asker } from './choose.ts'
import { mix } from './hashing.ts'
import { isUsable } from './usable.ts'

/**
 * The same instance for the same client: rendezvous hashing. Every instance gets a number from its own hash and the
 * client's, the highest wins; so one that comes or goes moves only its own share of the clients. With `-weight / ln(u)`
 * shares are by weight. Null: none is usable.
 */
export function chooseByHash({ ready, state, isEven }: CompiledPool, asker: Asker, now: number): TargetState | null {
  const { clientHash, tried } = asker
  // With equal shares the order is that of the numbers themselves.
  const isPlain = isEven && now >= state.rampUntil
  let best: TargetState | null = null
  let highest = 0
  for (const target of ready) {
    if (!isUsable(target, tried, now)) continue
    const u = (mix(clientHash ^ target.hash) + 0.5) / 2 ** 32
    const score = isPlain ? u : target.weightAt(now) / -Math.log(u)
    if (score > highest) {
      highest = score
      best = target
    }
  }
  return best
}
