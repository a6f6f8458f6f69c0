import type { Registry } from 'prom-client'
import { startProcessReadings } from '../../core/process-readings.ts'
import { addSeries } from './series.ts'

/** The controller's own process. */
export function addProcessMetrics(registry: Registry): void {
  const read = startProcessReadings()
  const startedAt = Date.now() / 1000 - process.uptime()
  let last = read()
  const add = (type: 'counter' | 'gauge', name: string, help: string, value: () => number): void =>
    addSeries(registry, { type, name: `vipswap_controller_${name}`, help, labels: [] }, put => put({}, value()))
  // Metrics are collected in this order: the first reads for all.
  add('counter', 'cpu_seconds_total', 'User and system time of the controller', () => {
    last = read()
    return last.cpuSeconds
  })
  add('gauge', 'resident_memory_bytes', 'Resident memory of the controller', () => last.memoryBytes)
  add('gauge', 'open_descriptors', 'Open file descriptors of the controller', () => last.descriptors)
  add(
    'gauge',
    'event_loop_lag_seconds',
    'How late the controller came to its work: 99th percentile since the last scrape',
    () => last.lagSeconds,
  )
  add('gauge', 'start_time_seconds', 'When the controller began', () => startedAt)
}
