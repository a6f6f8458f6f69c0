import type { TaskRecord } from '../operation-record.ts'
import type { FabricState } from '../state.ts'

/**
 * Probe traffic to addresses that are paused: none is sent meanwhile, since what the operator has held for longer than a probe
 * may take would count as lost.
 */
export function isPaused({ services }: Pick<FabricState, 'services'>, task: Readonly<TaskRecord>): boolean {
  if (task.work.kind !== 'verify') return false
  const service = services[task.service]
  const slot = task.deployment !== null && service?.slots.staging === task.deployment ? 'staging' : 'production'
  return service?.paused?.[slot] !== undefined
}
