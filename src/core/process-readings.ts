import { monitorEventLoopDelay } from 'node:perf_hooks'
import { descriptorCounter } from './open-descriptors.ts'

/** Costs a quarter of a percent of a core. */
const RESOLUTION_MS = 20

/** How a process does. */
export interface ProcessReadings {
  /** User and system time since it began. */
  readonly cpuSeconds: number
  readonly memoryBytes: number
  readonly descriptors: number
  /** How late it came to its work since the last reading: 99th percentile. */
  readonly lagSeconds: number
}

/** Measures this process from now on; each reading begins the lag anew. It looks every `resolutionMs` how late it is. */
export function startProcessReadings({ resolutionMs = RESOLUTION_MS } = {}): () => ProcessReadings {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  const descriptors = descriptorCounter()
  return () => {
    // It measures the time between two beats, the beat's own length included. NaN before the first.
    const lateMs = delay.percentile(99) / 1e6 - resolutionMs
    delay.reset()
    const { user, system } = process.cpuUsage()
    return {
      cpuSeconds: (user + system) / 1e6,
      memoryBytes: process.memoryUsage.rss(),
      descriptors: descriptors(),
      lagSeconds: lateMs > 0 ? Math.round(lateMs * 1000) / 1e6 : 0,
    }
  }
}
