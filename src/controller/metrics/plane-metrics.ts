import type { Registry } from 'prom-client'
import {
  PLANE_METRICS,
  type PlaneMetric,
  type PlaneMetricName,
  type PlaneReadings,
} from '../../contracts/plane-metrics.ts'
import { addSeries } from './series.ts'

/** What the proxies measured last, a series a proxy, and a worker or VIP or pool where the metric tells them apart. */
export function addPlaneMetrics(registry: Registry, read: () => { proxy: string; readings: PlaneReadings }[]): void {
  const all = Object.entries(PLANE_METRICS) as [PlaneMetricName, PlaneMetric][] // entries of the literal
  for (const [key, { type, name, help, label }] of all) {
    const labels = label === null ? ['proxy'] : ['proxy', label]
    addSeries(registry, { type, name, help, labels }, put => {
      for (const { proxy, readings } of read()) {
        if (label === null) put({ proxy }, readings[key]?.[''] ?? 0)
        else for (const [value, count] of Object.entries(readings[key] ?? {})) put({ proxy, [label]: value }, count)
      }
    })
  }
}
