import type { LedgerRow } from '../contracts/ledger.ts'
import {
  brokenOf,
  earlierVips,
  foldedRow,
  isEmptyRow,
  openOf,
  rowKey,
  serviceOf,
  subtractRows,
  sumRows,
} from '../model/ledger-row.ts'
import type { Draft } from './draft.ts'
import type { FabricState } from './state.ts'
import type { Observed } from './observed.ts'
import type { OperationRecord, ReceiptRecord } from './operation-record.ts'

/** Whose word a forced operation did not wait for. */
export function waivedWords({ waived = [] }: Readonly<OperationRecord>): string {
  return waived.length === 0 ? 'the capacity floor' : waived.join(', ')
}

/** By proxy incarnation; null: it has told none yet. */
export type Counts = Record<string, readonly LedgerRow[] | null>

/** The newest ledger rows of one service per proxy incarnation; null for one that has not told any yet. */
export function baselineOf(
  draft: { proxies: { keys(): string[] }; observed: Observed },
  service: string,
): Record<string, LedgerRow[] | null> {
  const counts: Record<string, LedgerRow[] | null> = {}
  for (const incarnation of draft.proxies.keys()) {
    const ledger = draft.observed.proxies[incarnation]?.status?.ledger
    counts[incarnation] = ledger === undefined ? null : ledger.rows.filter(row => row.vip.startsWith(`${service}/`))
  }
  return counts
}

/**
 * The first counts that a proxy tells this controller become the baseline of operations accepted before it spoke: what it
 * counted in earlier times is not theirs.
 */
export function completeBaselines(draft: Draft, incarnation: string): void {
  for (const seen of draft.operations.values()) {
    if (seen.status !== 'InProgress' || seen.baseline[incarnation] !== null) continue
    const operation = draft.operations.edit(seen.id)
    if (operation !== undefined) operation.baseline[incarnation] = baselineOf(draft, seen.service)[incarnation] ?? null
  }
  for (const seen of draft.tasks.values()) {
    if (seen.baseline[incarnation] !== null) continue
    const task = draft.tasks.edit(seen.id)
    if (task !== undefined) task.baseline[incarnation] = baselineOf(draft, seen.service)[incarnation] ?? null
  }
}

/** Writes what happened between the baseline and now into the operation. */
export function closeReceipt(draft: Draft, operation: OperationRecord): void {
  const end = baselineOf(draft, operation.service)
  const silent = Object.keys(operation.baseline).filter(
    incarnation => operation.baseline[incarnation] === null || end[incarnation] == null,
  )
  const traffic = trafficBetween(operation.baseline, end)
  const notes = [
    ...(operation.waived === undefined
      ? []
      : [`forced: the guarantee was waived, without waiting for ${waivedWords(operation)}`]),
    ...missingCounts(silent, traffic),
  ]
  operation.receipt = {
    complete: notes.length === 0,
    note: notes.length === 0 ? null : notes.join('; '),
    traffic,
    domains: operation.receipt?.domains ?? [],
    switchMs: operation.receipt?.switchMs ?? null,
  }
  operation.baseline = {}
}

/** Why counts are not all that happened, in words; empty where they are. `silent`: proxies that could not be asked. */
export function missingCounts(silent: readonly string[], rows: Iterable<LedgerRow>): string[] {
  const notes = silent.length === 0 ? [] : [`the counts of proxy ${silent.join(', ')} could not be read`]
  for (const row of rows) {
    if ((row.broken['proxy-died'] ?? 0) === 0) continue
    return [...notes, 'a process of a proxy died, and what it had counted since it last told is missing']
  }
  return notes
}

/** What an operation in progress would write now. */
export function receiptSoFar(
  state: Pick<FabricState, 'observed'> & { readonly proxies: Readonly<Record<string, unknown>> },
  operation: Readonly<OperationRecord>,
): ReceiptRecord {
  if (operation.receipt !== null && operation.endedAt !== null) return operation.receipt
  const proxies = { keys: () => Object.keys(state.proxies) }
  const end = baselineOf({ proxies, observed: state.observed }, operation.service)
  return {
    complete: false,
    note: 'the operation is still in progress',
    traffic: trafficBetween(operation.baseline, end),
    domains: operation.receipt?.domains ?? [],
    switchMs: operation.receipt?.switchMs ?? null,
  }
}

/**
 * Sums over incarnations of end − start, a row per VIP, deployment and version; rows without traffic are left out.
 * Requests still open are told once a VIP: one that was held arrives in another row than it ends in.
 */
export function trafficBetween(start: Readonly<Counts>, end: Readonly<Counts>): (LedgerRow & { open: number })[] {
  const parts: LedgerRow[][] = []
  const open = new Map<string, number>()
  for (const [incarnation, rows] of Object.entries(end)) {
    const before = incarnation in start ? start[incarnation] : []
    if (rows === null || before == null) continue
    parts.push(difference(before, rows))
    for (const row of rows) open.set(row.vip, (open.get(row.vip) ?? 0) + openOf(row))
  }
  const rows = sumRows(parts)
  const counted = rows.filter(row => !isEmptyRow(row)).map(row => ({ ...row, open: 0 }))
  for (const [vip, count] of open) {
    if (count === 0) continue
    const teller = counted.find(row => row.vip === vip)
    const silent = rows.find(row => row.vip === vip)
    if (teller !== undefined) counted[counted.indexOf(teller)] = { ...teller, open: count }
    else if (silent !== undefined) counted.push({ ...silent, open: count })
  }
  return counted
}

/**
 * What one incarnation counted in between. A row of the start that is there no more (or has begun anew) was folded into that
 * of its VIP's earlier deployments, or of its service's earlier VIPs: there it is taken off again.
 */
function difference(start: readonly LedgerRow[], end: readonly LedgerRow[]): LedgerRow[] {
  const rows = new Map(end.map(row => [rowKey(row), row]))
  for (const row of start) {
    for (const place of [row, foldedRow(row.vip), foldedRow(earlierVips(serviceOf(row.vip)))]) {
      const after = rows.get(rowKey(place))
      if (after === undefined || !contains(after, row)) continue
      rows.set(rowKey(place), subtractRows(after, row))
      break
    }
  }
  return [...rows.values()]
}

/** Counts only grow: a row that has less of anything was counted from zero again. */
function contains(row: LedgerRow, part: LedgerRow): boolean {
  return (
    row.arrived >= part.arrived &&
    row.answered >= part.answered &&
    row.refused >= part.refused &&
    row.clientGone >= part.clientGone &&
    row.held >= part.held &&
    brokenOf(row) >= brokenOf(part)
  )
}
