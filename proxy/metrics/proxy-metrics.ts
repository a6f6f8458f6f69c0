import { PLANE_METRICS, type PlaneMetricName, type PlaneReadings } from '../../src/contracts/plane-metrics.ts'

const NAMES = Object.keys(PLANE_METRICS) as PlaneMetricName[] // keys of the literal

/** The readings of a proxy's workers, added up: counters of workers that are gone stay counted. */
export class ProxyMetrics {
  #gone: PlaneReadings = {}

  /** A worker is gone, and these were its last readings. */
  keep(readings: PlaneReadings): void {
    const counted: PlaneReadings = {}
    for (const name of NAMES) {
      const { type, label } = PLANE_METRICS[name]
      const values = readings[name]
      // What belongs to one process ends with it.
      if (type === 'counter' && label !== 'worker' && values !== undefined) counted[name] = values
    }
    this.#gone = addReadings(this.#gone, counted)
  }

  /** All workers that are and were, with what the holder itself counted. `worker` tells processes apart. */
  total(workers: Iterable<{ worker: number; readings: PlaneReadings }>, own: PlaneReadings): PlaneReadings {
    let sum = addReadings(this.#gone, own)
    for (const { worker, readings } of workers) sum = addReadings(sum, ofWorker(readings, worker))
    return sum
  }
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
    for (const [label, value] of Object.entries(more)) values[label] = (values[label] ?? 0) + value
    sum[name] = values
  }
  return sum
}
