import type { PlaneMetricName } from '../../src/contracts/plane-metrics.ts'
import type { PoolReport } from '../routing/pool-state.ts'
import type { PlaneMetrics } from './plane-metrics.ts'

type Count = { [K in keyof PoolReport]: PoolReport[K] extends number ? K : never }[keyof PoolReport]

const TOLD: readonly (readonly [PlaneMetricName, Count])[] = [
  ['poolReady', 'ready'],
  ['poolEjected', 'ejected'],
  ['poolWaiting', 'waiting'],
  ['poolWaitingBytes', 'waitingBytes'],
  ['poolEjections', 'ejections'],
  ['poolEjectionsDenied', 'ejectionsDenied'],
  ['poolReadmissions', 'readmissions'],
  ['poolAllEjected', 'ejectedAll'],
  ['poolHeld', 'held'],
  ['poolQueued', 'queued'],
  ['poolHoldFull', 'holdFull'],
  ['poolQueueFull', 'queueFull'],
  ['poolWaitExpired', 'waitExpired'],
  ['poolRetries', 'retries'],
  ['poolRetriesDenied', 'retriesDenied'],
  ['poolAffinityMoved', 'affinityMoved'],
]

/** Has `metrics` tell how every pool does, by its key. */
export function reportPools(metrics: PlaneMetrics, pools: () => readonly PoolReport[]): void {
  let last: readonly PoolReport[] = []
  for (const [index, [name, count]] of TOLD.entries()) {
    metrics.report(name, () => {
      // Asked for in the order in which they are reported: the first of them reads for all.
      if (index === 0) last = pools()
      return Object.fromEntries(last.map(pool => [pool.key, pool[count]]))
    })
  }
}
