import {
  PLANE_METRICS,
  type PlaneMetric,
  type PlaneMetricName,
  type PlaneReadings,
} from '../../src/contracts/plane-metrics.ts'

const NAMES = Object.keys(PLANE_METRICS) as PlaneMetricName[] // keys of the literal

/** The readings of a proxy's workers, added up: counters of workers that are gone stay counted. */
export class ProxyMetrics {
  #gone: PlaneReadings = {}

  /** A worker is gone, and these were its last readings. */
  keep(readings: PlaneReadings): void {
    this.#gone = addReadings(this.#gone, lasting(readings))
  }

  /**
   * All workers that are and were, with what the holder itself counted. `worker` tells processes apart; `ended`: of those
   * that are gone and not kept yet.
   */
  total(
    workers: Iterable<{ worker: number; readings: PlaneReadings }>,
    ended: Iterable<PlaneReadings>,
    own: PlaneReadings,
  ): PlaneReadings {
    let sum = addReadings(this.#gone, own)
    for (const readings of ended) sum = addReadings(sum, lasting(readings))
    for (const { worker, readings } of workers) sum = addReadings(sum, ofWorker(readings, worker))
    return sum
  }
}

/** What belongs to one process ends with it; the rest stays counted. */
function lasting(readings: PlaneReadings): PlaneReadings {
  const counted: PlaneReadings = {}
  for (const name of NAMES) {
    const { type, label } = PLANE_METRICS[name]
    const values = readings[name]
    if (type === 'counter' && label !== 'worker' && values !== undefined) counted[name] = values
  }
  return counted
}

function ofWorker(readings: PlaneReadings, worker: number): PlaneReadings {
  const named: PlaneReadings = { ...readings }
  for (const name of NAMES) {
    const value = readings[name]?.['']
    if (PLANE_METRICS[name].label === 'worker' && value !== undefined) named[name] = { [worker]: value }
  }
  return named
}

function addReadings(a: PlaneReadings, b: PlaneReadings): PlaneReadings {
  const sum: PlaneReadings = { ...a }
  for (const name of NAMES) {
    const more = b[name]
    if (more === undefined) continue
    const values: Record<string, number> = { ...sum[name] }
    const { over }: PlaneMetric = PLANE_METRICS[name]
    for (const [label, value] of Object.entries(more)) {
      const before = values[label] ?? 0
      values[label] = over === 'max' ? Math.max(before, value) : before + value
    }
    sum[name] = values
  }
  return sum
}
