import type { Registry } from 'prom-client'
import type { FabricState } from '../../fabric/state.ts'
import type { OperationRecord } from '../../fabric/operation-record.ts'
import { addSeries } from './series.ts'

/** Kinds that change what a slot runs, and how. */
const APPLYING: readonly string[] = ['create', 'upgrade', 'configure', 'scale']

/** Of the operations that are kept: what the last ones came to. */
export function addLastMetrics(registry: Registry, read: () => FabricState): void {
  const labels = ['service', 'slot'] as const
  addSeries(
    registry,
    {
      type: 'gauge',
      name: 'vipswap_config_last_apply_successful',
      help: '1 where the last package or configuration that was to be applied to a slot was, 0 where it was not',
      labels,
    },
    put => {
      for (const [place, operation] of lastOf(read(), applied)) {
        put(place, operation.status === 'Succeeded' ? 1 : 0)
      }
    },
  )
  addSeries(
    registry,
    {
      type: 'gauge',
      name: 'vipswap_config_last_apply_success_timestamp_seconds',
      help: 'When a package or a configuration was applied to a slot last, with success',
      labels,
    },
    put => {
      const succeeded = (operation: OperationRecord): boolean => applied(operation) && operation.status === 'Succeeded'
      for (const [place, operation] of lastOf(read(), succeeded)) put(place, (operation.endedAt ?? 0) / 1000)
    },
  )
  addSeries(
    registry,
    {
      type: 'gauge',
      name: 'vipswap_swap_last_success_timestamp_seconds',
      help: 'When the slots of a service were swapped last',
      labels: ['service'],
    },
    put => {
      const swapped = ({ kind, status }: OperationRecord): boolean => kind === 'swap' && status === 'Succeeded'
      for (const [{ service }, operation] of lastOf(read(), swapped)) put({ service }, (operation.endedAt ?? 0) / 1000)
    },
  )
}

function applied({ kind, status }: OperationRecord): boolean {
  return APPLYING.includes(kind) && status !== 'InProgress' && status !== 'Cancelled'
}

/** The newest operation of each service and slot that is one of those. Services that are gone have none. */
function lastOf(
  { operations, services }: FabricState,
  wanted: (operation: OperationRecord) => boolean,
): [place: { service: string; slot: string }, operation: OperationRecord][] {
  const last = new Map<string, OperationRecord>()
  for (const operation of Object.values(operations)) {
    if (!Object.hasOwn(services, operation.service) || !wanted(operation)) continue
    const key = `${operation.service}/${operation.slot ?? ''}`
    const before = last.get(key)
    if (before === undefined || Number(before.id.slice(3)) < Number(operation.id.slice(3))) last.set(key, operation)
  }
  return [...last.values()].map(operation => [{ service: operation.service, slot: operation.slot ?? '' }, operation])
}
