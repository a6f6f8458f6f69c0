import type { OperationKind } from '../contracts/api.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Slot } from '../model/common.ts'
import type { OperationStatus } from '../model/states.ts'
import type { Draft } from './draft.ts'
import { baselineOf, closeReceipt } from './receipts.ts'
import { refuse } from './refusal.ts'
import type { OperationRecord } from './state.ts'

interface Beginning {
  kind: OperationKind
  service: string
  slot: Slot | null
  deployments: string[]
  step: string
  message: string
}

/** A new operation in progress, with the ledger's counts of this moment as its receipt's baseline. */
export function beginOperation(draft: Draft, { message, ...beginning }: Beginning): OperationRecord {
  const id = `op-${draft.fabric.nextOperation}`
  draft.fabric.nextOperation += 1
  const operation = draft.operations.put(id, {
    id,
    ...beginning,
    status: 'InProgress',
    startedAt: draft.now.wall,
    startedMono: draft.now.mono,
    endedAt: null,
    error: null,
    since: draft.revision,
    replaces: null,
    previousListeners: null,
    instance: null,
    domain: null,
    from: {},
    to: {},
    baseline: baselineOf(draft, beginning.service),
    receipt: null,
    remarks: [],
  })
  draft.event('operation-started', message, {
    service: operation.service,
    slot: operation.slot ?? undefined,
    operation: id,
  })
  return operation
}

/** Ends an operation and writes its receipt. */
export function endOperation(
  draft: Draft,
  id: string,
  status: Exclude<OperationStatus, 'InProgress'>,
  error: { code: ErrorCode; message: string } | null = null,
): void {
  const operation = draft.operations.edit(id)
  if (operation === undefined || operation.status !== 'InProgress') return
  operation.status = status
  operation.endedAt = draft.now.wall
  operation.error = error
  operation.step = 'ended'
  operation.previousListeners = null
  closeReceipt(draft, operation)
  draft.event(
    'operation-ended',
    error === null ? `${operation.kind} ${status}` : `${operation.kind} ${status}: ${error.message}`,
    { service: operation.service, slot: operation.slot ?? undefined, operation: id },
  )
}

/** Moves an operation to its next named step; what must be acknowledged is this change's revision. */
export function enterStep(draft: Draft, id: string, step: string): void {
  const operation = draft.operations.edit(id)
  if (operation === undefined || operation.step === step) return
  operation.step = step
  operation.since = draft.revision
}

/** The operations that hold any of these deployments. */
export function operationsOn(draft: Draft, deployments: readonly string[]): OperationRecord[] {
  return [...draft.operations.values()].filter(
    operation => operation.status === 'InProgress' && operation.deployments.some(id => deployments.includes(id)),
  )
}

/**
 * Makes a deployment that is to be removed free: what only works on it is cancelled. Refuses where something else holds
 * it (it is being removed already, or swapped).
 */
export function clearTheWay(draft: Draft, deployment: string): void {
  const holders = operationsOn(draft, [deployment])
  for (const holder of holders) {
    // Before its instances exist a create holds addresses, or what it replaces: both end soon and by themselves.
    const early = holder.kind === 'create' && (holder.step === 'removing' || holder.step === 'binding')
    if (early || holder.kind === 'delete' || holder.kind === 'swap') requireFree(draft, [deployment], SUPERSEDED)
  }
  for (const holder of holders) {
    if (holder.kind === 'upgrade' || holder.kind === 'walk' || holder.kind === 'rollback') continue
    endOperation(draft, holder.id, 'Cancelled', { code: 'superseded', message: 'the deployment is being removed' })
  }
}

/** What may wait for instances that never become ready, or never go. */
const SUPERSEDED: readonly OperationKind[] = [
  'upgrade',
  'walk',
  'rollback',
  'scale',
  'suspend',
  'start',
  'reboot',
  'reimage',
]

/** Refuses while an operation holds one of the deployments, save those of the kinds in `besides`. */
export function requireFree(
  draft: Draft,
  deployments: readonly string[],
  besides: readonly OperationKind[] = [],
): void {
  const holder = operationsOn(draft, deployments).find(operation => !besides.includes(operation.kind))
  if (holder === undefined) return
  if (holder.kind === 'upgrade' || holder.kind === 'walk' || holder.kind === 'rollback') {
    refuse(
      'upgrade_in_progress',
      `${holder.kind} ${holder.id} is in progress on ${holder.service}/${holder.slot}: wait for it, or \`vipswap rollback\``,
    )
  }
  refuse(
    'operation_in_progress',
    `${holder.kind} ${holder.id} is in progress on ${holder.service}${holder.slot === null ? '' : `/${holder.slot}`}: wait for it to end (\`vipswap operations\`)`,
  )
}
