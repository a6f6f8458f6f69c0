import type { BrokenCause, LedgerRow } from '../../src/contracts/ledger.ts'

/** Requests of a row set that arrived and have not ended. */
export function openIn(rows: readonly LedgerRow[]): number {
  let open = 0
  for (const row of rows) open += row.arrived - ended(row)
  return open
}

function ended(row: LedgerRow): number {
  let count = row.answered + row.refused + row.clientGone
  for (const broken of Object.values(row.broken)) count += broken
  return count
}

/** Sums rows of several workers by VIP, deployment and version; `heldMaxMs` is the largest. */
export function sumRows(parts: Iterable<readonly LedgerRow[]>): LedgerRow[] {
  const sums = new Map<string, LedgerRow>()
  for (const part of parts) {
    for (const row of part) {
      const key = `${row.vip}\n${row.deployment}\n${row.version}`
      const sum = sums.get(key)
      sums.set(key, sum === undefined ? row : addRows(sum, row))
    }
  }
  return [...sums.values()]
}

function addRows(a: LedgerRow, b: LedgerRow): LedgerRow {
  const broken: Partial<Record<BrokenCause, number>> = { ...a.broken }
  for (const [cause, count] of Object.entries(b.broken)) {
    // Object.entries widens the keys that the type gives.
    const key = cause as BrokenCause
    broken[key] = (broken[key] ?? 0) + count
  }
  return {
    vip: a.vip,
    deployment: a.deployment,
    version: a.version,
    arrived: a.arrived + b.arrived,
    answered: a.answered + b.answered,
    refused: a.refused + b.refused,
    clientGone: a.clientGone + b.clientGone,
    held: a.held + b.held,
    heldMaxMs: Math.max(a.heldMaxMs, b.heldMaxMs),
    replayed: a.replayed + b.replayed,
    broken,
  }
}

/**
 * The last rows of a worker that died: what it had open is broken by `proxy-died`. Per VIP the open ones go to the rows
 * where more arrived than ended (a held or replayed request arrives in one row and ends in another).
 */
export function closeRows(rows: readonly LedgerRow[]): LedgerRow[] {
  const openByVip = new Map<string, number>()
  for (const row of rows) openByVip.set(row.vip, (openByVip.get(row.vip) ?? 0) + row.arrived - ended(row))
  return rows.map(row => {
    const open = openByVip.get(row.vip) ?? 0
    const here = Math.min(open, Math.max(0, row.arrived - ended(row)))
    if (here === 0) return row
    openByVip.set(row.vip, open - here)
    return { ...row, broken: { ...row.broken, 'proxy-died': (row.broken['proxy-died'] ?? 0) + here } }
  })
}
