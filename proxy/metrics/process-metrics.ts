import { startProcessReadings } from '../../src/core/process-readings.ts'
import type { PlaneMetrics } from './plane-metrics.ts'

/** Has `metrics` tell how this process does. */
export function reportProcess(metrics: PlaneMetrics): void {
  const read = startProcessReadings()
  let last = read()
  // Asked for in the order in which they are reported: the first of them reads for all.
  metrics.report('workerLag', () => {
    last = read()
    return last.lagSeconds
  })
  metrics.report('workerCpu', () => last.cpuSeconds)
  metrics.report('workerMemory', () => last.memoryBytes)
  metrics.report('workerDescriptors', () => last.descriptors)
}
