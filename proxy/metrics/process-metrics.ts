import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { PlaneMetrics } from './plane-metrics.ts'

const RESOLUTION_MS = 20

/** Has `metrics` tell how this process does. */
export function reportProcess(metrics: PlaneMetrics): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  metrics.report('workerLag', () => {
    // It measures the time between two beats, the beat's own length included. NaN before the first.
    const lateMs = delay.percentile(99) / 1e6 - RESOLUTION_MS
    delay.reset()
    return lateMs > 0 ? Math.round(lateMs * 1000) / 1e6 : 0
  })
  metrics.report('workerCpu', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  metrics.report('workerMemory', () => process.memoryUsage.rss())
  metrics.report('workerDescriptors', openDescriptors)
}

function openDescriptors(): number {
  for (const folder of ['/proc/self/fd', '/dev/fd']) {
    try {
      return readdirSync(folder).length
    } catch {
      // Not on this system.
    }
  }
  return 0
}
