import type { LedgerRow } from '../contracts/ledger.ts'
import type { Draft } from './draft.ts'
import type { FabricState, Observed, OperationRecord, ReceiptRecord } from './state.ts'

/** Whose word a forced operation did not wait for. */
export function waivedWords({ waived = [] }: Readonly<OperationRecord>): string {
  return waived.length === 0 ? 'the capacity floor' : waived.join(', ')
}

type Counts = Record<string, LedgerRow[] | null>

/** The newest ledger rows of one service per proxy incarnation; null for one that has not told any yet. */
export function baselineOf(draft: { proxies: { keys(): string[] }; observed: Observed }, service: string): Counts {
  const counts: Counts = {}
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
}

/** Writes what happened between the baseline and now into the operation. */
export function closeReceipt(draft: Draft, operation: OperationRecord): void {
  const end = baselineOf(draft, operation.service)
  const silent = Object.keys(operation.baseline).filter(
    incarnation => operation.baseline[incarnation] === null || end[incarnation] == null,
  )
  const notes = [
    ...(operation.waived === undefined
      ? []
      : [`forced: the guarantee was waived, without waiting for ${waivedWords(operation)}`]),
    ...(operation.notes ?? []),
    ...(silent.length === 0 ? [] : [`the counts of proxy ${silent.join(', ')} could not be read`]),
  ]
  operation.receipt = {
    complete: silent.length === 0 && operation.waived === undefined,
    note: notes.length === 0 ? null : notes.join('; '),
    traffic: trafficBetween(operation.baseline, end),
    domains: operation.receipt?.domains ?? [],
    switchMs: operation.receipt?.switchMs ?? null,
  }
  operation.baseline = {}
}

/** What an operation in progress would write now. */
export function receiptSoFar(state: FabricState, operation: OperationRecord): ReceiptRecord {
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
function trafficBetween(start: Readonly<Counts>, end: Readonly<Counts>): (LedgerRow & { open: number })[] {
  const sums = new Map<string, LedgerRow & { open: number }>()
  const open = new Map<string, number>()
  for (const [incarnation, rows] of Object.entries(end)) {
    if (rows === null || start[incarnation] === null) continue
    const before = new Map((start[incarnation] ?? []).map(row => [rowKey(row), row]))
    for (const row of rows) {
      const sum = sums.get(rowKey(row))
      const difference = subtract(row, before.get(rowKey(row)))
      sums.set(rowKey(row), sum === undefined ? difference : add(sum, difference))
      open.set(row.vip, (open.get(row.vip) ?? 0) + openOf(row))
    }
  }
  const rows = [...sums.values()]
  const counted = rows.filter(
    row => row.arrived + row.answered + row.refused + row.clientGone + row.held + brokenOf(row) > 0,
  )
  for (const [vip, count] of open) {
    if (count === 0) continue
    const teller = counted.find(row => row.vip === vip)
    const silent = rows.find(row => row.vip === vip)
    if (teller !== undefined) counted[counted.indexOf(teller)] = { ...teller, open: count }
    else if (silent !== undefined) counted.push({ ...silent, open: count })
  }
  return counted
}

function rowKey(row: LedgerRow): string {
  return `${row.vip} ${row.deployment} ${row.version}`
}

/** All broken requests of a row. */
export function brokenOf(row: LedgerRow): number {
  return Object.values(row.broken).reduce((sum, count) => sum + count, 0)
}

/** What a row adds to the open requests of its VIP; less than nothing where requests ended that arrived in another row. */
function openOf(row: LedgerRow): number {
  return row.arrived - row.answered - row.refused - row.clientGone - brokenOf(row)
}

function subtract(row: LedgerRow, before: LedgerRow | undefined): LedgerRow & { open: number } {
  if (before === undefined) return { ...row, open: 0 }
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
    open: 0,
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
    open: 0,
  }
}
