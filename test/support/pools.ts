import { DEFAULT_POLICY, type Pool, type PoolPolicy, type Target } from '../../src/contracts/routing.ts'
import type { Asker } from '../../proxy/balancing/choose.ts'
import { PoolState } from '../../proxy/routing/pool-state.ts'
import { compilePool, type CompiledPool } from '../../proxy/routing/snapshot.ts'
import type { TargetState } from '../../proxy/routing/target.ts'

/** A pool of a worker's data plane without its sockets, under one table after another. */
export interface PoolUnderTest {
  readonly state: PoolState
  /** Makes these the pool's targets, given by name with what is special about each; gives the pool as compiled then. */
  apply(targets: Readonly<Record<string, Partial<Target>>>, now?: number): CompiledPool
  target(name: string): TargetState
}

export function poolUnderTest(policy: Partial<PoolPolicy> = {}, workers = 1): PoolUnderTest {
  const base: Pool = {
    key: 'd1/web/http',
    service: 'app',
    deployment: 'd1',
    role: 'web',
    endpoint: 'http',
    policy: { ...DEFAULT_POLICY, ...policy },
    targets: [],
    expecting: false,
    drainTimeoutMs: 0,
  }
  const state = new PoolState(base, workers)
  return {
    state,
    apply: (targets, now = 0) => {
      const named = Object.entries(targets).map(([name, change]): Target => ({
        key: name,
        instance: name,
        version: '1',
        host: '127.0.0.1',
        port: 1,
        weight: 1,
        state: 'in',
        ...change,
      }))
      const compiled = compilePool({ ...base, targets: named }, state)
      state.follow(compiled, now)
      return compiled
    },
    target: name => {
      const found = state.targets.get(name)
      if (found === undefined) throw new Error(`no target ${name}`)
      return found
    },
  }
}

export function asker(change: Partial<Asker> = {}): Asker {
  return { tried: null, isWaiting: false, clientHash: 0, wanted: '', ...change }
}

/** `{ a: {}, b: {} … }`: so many targets with nothing special. */
export function plainTargets(count: number): Record<string, Partial<Target>> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`web_IN_${index}`, {}]))
}
