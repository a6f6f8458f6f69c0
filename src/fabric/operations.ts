import type { OperationKind } from '../contracts/api/operation.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Slot } from '../model/slot.ts'
import type { OperationStatus } from '../model/states.ts'
import { durationsBefore, watchAfter } from './around.ts'
import type { Draft } from './draft.ts'
import { baselineOf, closeReceipt } from './receipts.ts'
import type { OperationRecord } from './operation-record.ts'
import type { DeploymentRecord } from './state.ts'

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
    by: draft.by,
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
    before: durationsBefore(draft, beginning.service),
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
  watchAfter(draft, operation)
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

/** The swap of a service, or a phase of one, that has not ended. */
export function swapUnderWay(draft: Draft, name: string): Readonly<OperationRecord> | undefined {
  return [...draft.operations.values()].find(
    ({ kind, service, status }) => kind === 'swap' && service === name && status === 'InProgress',
  )
}

/** What keeps others off a walk that a swap began and waits for, in words; null where it is no swap's. */
export function swapsOwnWalk(draft: Draft, { service, upgrade }: Readonly<DeploymentRecord>): string | null {
  const swap = swapUnderWay(draft, service)
  if (upgrade === null || swap?.swap?.walk !== upgrade.operation) return null
  const end = swap.swap.phase === 'cancel' ? 'it ends by itself soon' : '`vipswap swap cancel` puts all back'
  return `${upgrade.operation} is part of swap ${swap.id}: ${end}`
}
