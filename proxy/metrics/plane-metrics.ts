import type { PlaneMetricName, PlaneReadings } from '../../src/contracts/plane-metrics.ts'

/** Counters and gauges of one worker (or holder), by the catalogue in src/contracts/plane-metrics.ts. */
export class PlaneMetrics {
  readonly #values = new Map<PlaneMetricName, Map<string, number>>()
  readonly #reports = new Map<PlaneMetricName, () => number | Readonly<Record<string, number>>>()

  /** Counts `by` more (a gauge may count less) under a label value, for metrics that have one. */
  add(name: PlaneMetricName, by = 1, label = ''): void {
    let values = this.#values.get(name)
    if (values === undefined) {
      values = new Map()
      this.#values.set(name, values)
    }
    values.set(label, (values.get(label) ?? 0) + by)
  }

  /** The metric is what `read` says when it is asked: a number, or numbers by label value. */
  report(name: PlaneMetricName, read: () => number | Readonly<Record<string, number>>): void {
    this.#reports.set(name, read)
  }

  /** All that is not zero. */
  read(): PlaneReadings {
    const readings: PlaneReadings = {}
    for (const [name, values] of this.#values) readings[name] = withoutZeros(Object.fromEntries(values))
    for (const [name, read] of this.#reports) {
      const value = read()
      readings[name] = withoutZeros(typeof value === 'number' ? { '': value } : value)
    }
    return readings
  }
}

function withoutZeros(values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== 0))
}
