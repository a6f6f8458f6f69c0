import type { VerifyTarget } from '../../contracts/task.ts'
import type { LedgerRow } from '../../contracts/ledger.ts'
import type { Slot } from '../../model/slot.ts'
import type { Draft } from '../draft.ts'
import { baselineOf, trafficBetween } from '../receipts.ts'
import type { TaskRecord } from '../operation-record.ts'
import { beginTask, taskOf } from '../tasks.ts'

/** How a phase of probe traffic stands. */
export type Traffic =
  | { readonly kind: 'go' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'lost'; readonly message: string }

const NOTE = 'probe traffic: '

interface Phase {
  readonly operation: string
  readonly service: string
  readonly slot: Slot
  readonly deployment: string | null
  readonly owner: TaskRecord['owner']
  readonly phase: string
  readonly targets: readonly VerifyTarget[]
}

/** Causes that are an instance's doing; what was too slow, or cut at a drain's end, may be a caller's own long request. */
const FAULTS = ['upstream-closed', 'bad-response', 'connect-failed'] as const

/**
 * Has this phase had enough probe traffic without a loss? The traffic goes on between phases, and a new phase begins to count
 * when it is asked for. Lost is also what the proxies had to send twice: a request that must not be repeated would have
 * been broken by the same instance.
 */
export function trafficOf(draft: Draft, asked: Phase): Traffic {
  const seen = taskOf(draft, asked.operation, 'verify')
  const lost = lossOf(draft, asked)
  if (lost !== null) return { kind: 'lost', message: lost }
  // Nothing that both versions know: this phase has nothing to say.
  if (asked.targets.length === 0) return { kind: 'go' }
  const work = { kind: 'verify', phase: asked.phase, targets: asked.targets } as const
  if (seen === undefined) {
    const { operation, service, deployment, owner } = asked
    beginTask(draft, { operation, service, deployment, owner, name: 'verify', work })
    return { kind: 'wait' }
  }
  if (seen.work.kind !== 'verify' || seen.work.phase !== asked.phase) {
    const task = draft.tasks.edit(seen.id)
    if (task !== undefined) task.work = work
    return { kind: 'wait' }
  }
  return seen.reached?.phase === asked.phase && isCounted(draft, seen, asked) ? { kind: 'go' } : { kind: 'wait' }
}

/** The first loss so far, in words; null where there is none. */
export function lossOf(draft: Draft, asked: Pick<Phase, 'operation' | 'service' | 'slot'>): string | null {
  const task = taskOf(draft, asked.operation, 'verify')
  if (task === undefined) return null
  if (task.outcome?.ok === false) return task.outcome.detail
  const rows = rowsOf(draft, task, asked)
  const sum = (of: (row: LedgerRow) => number): number => rows.reduce((total, row) => total + of(row), 0)
  for (const cause of FAULTS) {
    const count = sum(row => row.broken[cause] ?? 0)
    if (count > 0) return `${count} requests to ${asked.slot} were broken (${cause})`
  }
  const replayed = sum(row => row.replayed)
  return replayed === 0
    ? null
    : `${replayed} requests to ${asked.slot} got no answer from an instance and had to be sent again`
}

/** What was found so far counts no more; the next phase that asks begins anew. */
export function forgetTraffic(draft: Draft, operation: string): void {
  const task = taskOf(draft, operation, 'verify')
  if (task !== undefined) draft.tasks.delete(task.id)
}

/** Says in the receipt how much traffic found nothing wrong. */
export function noteTraffic(draft: Draft, operation: string): void {
  const sent = taskOf(draft, operation, 'verify')?.reached?.sent ?? 0
  const record = draft.operations.edit(operation)
  if (sent === 0 || record?.status !== 'InProgress') return
  record.remarks = [...record.remarks.filter(remark => !remark.startsWith(NOTE)), `${NOTE}${sent} requests, none lost`]
}

/** Have the proxies told of all that was sent? What died with a proxy is never told. */
function isCounted(draft: Draft, task: Readonly<TaskRecord>, asked: Phase): boolean {
  const gone = Object.keys(task.baseline).some(incarnation => draft.proxies.get(incarnation) === undefined)
  const arrived = rowsOf(draft, task, asked).reduce((total, row) => total + row.arrived, 0)
  return gone || arrived >= (task.reached?.sent ?? 0)
}

function rowsOf(
  draft: Draft,
  task: Readonly<TaskRecord>,
  { service, slot }: Pick<Phase, 'service' | 'slot'>,
): readonly LedgerRow[] {
  return trafficBetween(task.baseline, baselineOf(draft, service)).filter(({ vip }) =>
    vip.startsWith(`${service}/${slot}/`),
  )
}
