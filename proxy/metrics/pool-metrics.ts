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
  for (const [name, count] of TOLD) {
    metrics.report(name, () => Object.fromEntries(pools().map(pool => [pool.key, pool[count]])))
  }
}
