import type { LedgerRow } from '../contracts/ledger.ts'
import type { Draft } from './draft.ts'
import type { FabricState, OperationRecord, ReceiptRecord } from './state.ts'

/** The newest ledger rows of one service, per proxy incarnation. */
export function baselineOf(draft: Draft, service: string): Record<string, LedgerRow[]> {
  const rows: Record<string, LedgerRow[]> = {}
  for (const incarnation of draft.proxies.keys()) {
    const ledger = draft.observed.proxies[incarnation]?.status?.ledger
    if (ledger !== undefined) rows[incarnation] = ledger.rows.filter(row => row.vip.startsWith(`${service}/`))
  }
  return rows
}

/** Writes what happened between the baseline and now into the operation. */
export function closeReceipt(draft: Draft, operation: OperationRecord): void {
  const end = baselineOf(draft, operation.service)
  const silent = Object.keys(operation.baseline).filter(incarnation => end[incarnation] === undefined)
  operation.receipt = {
    complete: silent.length === 0,
    note: silent.length === 0 ? null : `the counts of proxy ${silent.join(', ')} could not be read at the end`,
    traffic: trafficBetween(operation.baseline, end),
    domains: operation.receipt?.domains ?? [],
    switchMs: operation.receipt?.switchMs ?? null,
  }
  operation.baseline = {}
}

/** What an operation in progress would write now. */
export function receiptSoFar(state: FabricState, operation: OperationRecord): ReceiptRecord {
  if (operation.receipt !== null && operation.endedAt !== null) return operation.receipt
  const end: Record<string, LedgerRow[]> = {}
  for (const incarnation of Object.keys(state.proxies)) {
    const rows = state.observed.proxies[incarnation]?.status?.ledger.rows ?? []
    end[incarnation] = rows.filter(row => row.vip.startsWith(`${operation.service}/`))
  }
  return {
    complete: false,
    note: 'the operation is still in progress',
    traffic: trafficBetween(operation.baseline, end),
    domains: operation.receipt?.domains ?? [],
    switchMs: operation.receipt?.switchMs ?? null,
  }
}

/** Sums over incarnations of end − start, a row per VIP, deployment and version; rows without traffic are left out. */
function trafficBetween(
  start: Readonly<Record<string, LedgerRow[]>>,
  end: Readonly<Record<string, LedgerRow[]>>,
): (LedgerRow & { open: number })[] {
  const sums = new Map<string, LedgerRow & { open: number }>()
  for (const [incarnation, rows] of Object.entries(end)) {
    const before = new Map((start[incarnation] ?? []).map(row => [rowKey(row), row]))
    for (const row of rows) {
      const sum = sums.get(rowKey(row))
      const difference = subtract(row, before.get(rowKey(row)))
      sums.set(rowKey(row), sum === undefined ? difference : add(sum, difference))
    }
  }
  return [...sums.values()].filter(
    row => row.arrived + row.answered + row.refused + row.clientGone + row.held + row.open > 0 || brokenOf(row) > 0,
  )
}

function rowKey(row: LedgerRow): string {
  return `${row.vip} ${row.deployment} ${row.version}`
}

/** All broken requests of a row. */
export function brokenOf(row: LedgerRow): number {
  return Object.values(row.broken).reduce((sum, count) => sum + count, 0)
}

/** Requests that arrived and have not ended; cumulative counts on one row may be split with the row they arrived in. */
function openOf(row: LedgerRow): number {
  return row.arrived - row.answered - row.refused - row.clientGone - brokenOf(row)
}

function subtract(row: LedgerRow, before: LedgerRow | undefined): LedgerRow & { open: number } {
  if (before === undefined) return { ...row, open: openOf(row) }
  const broken: Record<string, number> = {}
  for (const [cause, count] of Object.entries(row.broken)) {
    const difference = count - (before.broken[cause as keyof typeof before.broken] ?? 0) // keys come from the same union
    if (difference > 0) broken[cause] = difference
  }
  return {
    ...row,
    arrived: row.arrived - before.arrived,
    answered: row.answered - before.answered,
    refused: row.refused - before.refused,
    clientGone: row.clientGone - before.clientGone,
    held: row.held - before.held,
    heldMaxMs: row.heldMaxMs > before.heldMaxMs ? row.heldMaxMs : 0,
    replayed: row.replayed - before.replayed,
    broken,
    open: openOf(row),
  }
}

function add(a: LedgerRow & { open: number }, b: LedgerRow & { open: number }): LedgerRow & { open: number } {
  const broken: Record<string, number> = { ...a.broken }
  for (const [cause, count] of Object.entries(b.broken)) broken[cause] = (broken[cause] ?? 0) + count
  return {
    ...a,
    arrived: a.arrived + b.arrived,
    answered: a.answered + b.answered,
    refused: a.refused + b.refused,
    clientGone: a.clientGone + b.clientGone,
    held: a.held + b.held,
    heldMaxMs: Math.max(a.heldMaxMs, b.heldMaxMs),
    replayed: a.replayed + b.replayed,
    broken,
    open: a.open + b.open,
  }
}
