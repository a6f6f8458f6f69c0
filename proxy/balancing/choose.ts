import type { CompiledPool } from '../routing/snapshot.ts'
import type { TargetState } from '../routing/target.ts'
import { chooseByHash } from './by-hash.ts'
import { mix } from './hashing.ts'
import { chooseLeast } from './least.ts'
import { chooseInTurn } from './round-robin.ts'
import { isLess, isRefusing, isSettled, isUsable } from './usable.ts'

/** Whoever needs an instance, as far as the choice depends on it. */
export interface Asker {
  /** Instances it already failed on; null: none. */
  readonly tried: ReadonlySet<TargetState> | null
  /** It waits in a line already: it need not be given an instance that just refused a connection. */
  readonly isWaiting: boolean
  /** Of the client's address, 32 bits. Asked for only with `affinity: source`. */
  readonly clientHash: number
  /** The instance's token in the client's cookie, or ''. Asked for only with `affinity: cookie`. */
  readonly wanted: string
}

/**
 * Picks one of a pool's ready instances by the pool's policy. Passed over are those that are full, that failed (until it is
 * time for one request to try them) or that this request failed on already. If every one failed they are used all the
 * same. Null: there is none, or all are full.
 */
export function chooseTarget(
  pool: CompiledPool,
  asker: Asker,
  now: number,
  random: () => number = Math.random,
): TargetState | null {
  const { policy } = pool.pool
  if (policy.affinity === 'source') return chooseByHash(pool, asker, now) ?? lastResort(pool, asker, now, random)
  if (policy.affinity === 'cookie') {
    const known = chooseByToken(pool, asker, now)
    if (known !== null) return known
  }
  const target =
    policy.balancing === 'least' ? chooseLeast(pool, asker.tried, now, random) : chooseInTurn(pool, asker, now)
  return target ?? lastResort(pool, asker, now, random)
}

function chooseByToken({ ready }: CompiledPool, { wanted, tried }: Asker, now: number): TargetState | null {
  if (wanted === '') return null
  for (const target of ready) if (target.token === wanted && isUsable(target, tried, now)) return target
  return null
}

/** None is usable: those that failed, and after them those that this very request failed on, rather than nothing. */
function lastResort(pool: CompiledPool, asker: Asker, now: number, random: () => number): TargetState | null {
  const { ready, state } = pool
  const { tried } = asker
  let best: TargetState | null = null
  let allTried = true
  let allEjected = true
  // From anywhere on, so that equals are chosen equally often.
  let index = Math.floor(random() * ready.length)
  for (let left = ready.length; left > 0; left--) {
    const target = ready[index++ % ready.length]
    if (target === undefined) break
    if (!target.ejected) allEjected = false
    if (tried !== null && tried.has(target)) continue
    // It is only full: worth waiting for.
    if (isSettled(target)) return null
    allTried = false
    if (asker.isWaiting && (!target.ejected || isRefusing(target, now))) continue
    if (target.inFlight < target.cap && (best === null || isBetter(target, best, pool, asker))) best = target
  }
  if (best !== null) {
    if (allEjected) state.counts.ejectedAll++
    return best
  }
  if (!allTried) return null
  for (const target of ready) {
    if (target.inFlight < target.cap && (best === null || isBetter(target, best, pool, asker))) best = target
  }
  return best
}

function isBetter(target: TargetState, other: TargetState, { pool }: CompiledPool, asker: Asker): boolean {
  const { affinity } = pool.policy
  if (affinity === 'source') return mix(asker.clientHash ^ target.hash) > mix(asker.clientHash ^ other.hash)
  if (affinity === 'cookie' && asker.wanted !== '' && target.token !== other.token) {
    if (target.token === asker.wanted) return true
    if (other.token === asker.wanted) return false
  }
  return isLess(target, other)
}
