import type { AgentReadings, RestartReason } from '../src/contracts/agent-metrics.ts'
import { startProcessReadings } from '../src/core/process-readings.ts'

/** Twenty looks between two readings: enough for a process that mostly waits, and a fifth of what the usual costs. */
const LAG_RESOLUTION_MS = 100

/** What one agent counts since it began. */
export class AgentMetrics {
  readonly #healthChecks = { passed: 0, failed: 0 }
  readonly #restarts: Record<RestartReason, number> = { crashed: 0, 'start-timeout': 0, 'start-failed': 0 }
  #starts = 0
  #appliedAt = 0
  readonly #process = startProcessReadings({ resolutionMs: LAG_RESOLUTION_MS })

  probed(ok: boolean): void {
    this.#healthChecks[ok ? 'passed' : 'failed'] += 1
  }

  started(): void {
    this.#starts += 1
  }

  /** It ended or failed without being told to. */
  died(reason: RestartReason): void {
    this.#restarts[reason] += 1
  }

  /** `wall` in milliseconds. */
  applied(wall: number): void {
    this.#appliedAt = wall / 1000
  }

  readings(instances: number): AgentReadings {
    const { cpuSeconds, memoryBytes, descriptors, lagSeconds } = this.#process()
    return {
      healthChecks: { ...this.#healthChecks },
      starts: { '': this.#starts },
      restarts: { ...this.#restarts },
      processes: { '': instances },
      appliedAt: { '': this.#appliedAt },
      cpu: { '': cpuSeconds },
      memory: { '': memoryBytes },
      descriptors: { '': descriptors },
      lag: { '': lagSeconds },
    }
  }
}
