import {
  addRows,
  earlierVips,
  foldedRow,
  isFolded,
  rowKey,
  serviceOf,
  type LedgerRow,
} from '../../src/model/ledger-row.ts'
import type { NamedRows } from './named-rows.ts'

/** How long what the table names no more is still told apart: longer than anybody compares deployments. */
const KEPT_MS = 3_600_000
/** How many such rows are told apart at most; the ones gone for longest are folded first. */
const KEPT_ROWS = 200

/**
 * What workers that are gone counted, and rows that living ones have forgotten. It does not grow without end: rows of long
 * gone deployments are folded into one per VIP, those of long gone VIPs into one per service. No count is lost by that, so
 * that a receipt, which subtracts two moments, stays right (src/fabric/receipts.ts). Only a service that is gone altogether
 * is forgotten.
 */
export class KeptRows {
  readonly #rows = new Map<string, LedgerRow>()
  /** Row keys, and since when the table has not named them; longest first. */
  readonly #goneSince = new Map<string, number>()

  get rows(): LedgerRow[] {
    return [...this.#rows.values()]
  }

  add(rows: Iterable<LedgerRow>): void {
    for (const row of rows) {
      const key = rowKey(row)
      const sum = this.#rows.get(key)
      this.#rows.set(key, sum === undefined ? row : addRows(sum, row))
    }
  }

  /** Folds what has long been gone. `live`: rows of living workers, which still count in them. `now` is monotonic. */
  tidy(named: NamedRows, live: Iterable<LedgerRow>, now: number): void {
    const counting = new Set<string>()
    for (const row of live) counting.add(rowKey(row)).add(row.vip)
    for (const [key, row] of this.#rows) {
      if (!isGone(row, named, counting)) this.#goneSince.delete(key)
      else if (!this.#goneSince.has(key)) this.#goneSince.set(key, now)
    }
    for (const [key, since] of this.#goneSince) {
      if (now - since < KEPT_MS && this.#goneSince.size <= KEPT_ROWS) break
      const row = this.#rows.get(key)
      if (row === undefined || isOfEarlierVips(row)) this.#remove(key)
      else if (named.hasVip(row.vip)) this.#fold(row, row.vip)
      else this.#foldVip(row.vip)
    }
  }

  /** All rows of a VIP together: requests that were held arrived in one and ended in another. */
  #foldVip(vip: string): void {
    for (const row of this.rows) if (row.vip === vip) this.#fold(row, earlierVips(serviceOf(vip)))
  }

  #fold(row: LedgerRow, vip: string): void {
    this.#remove(rowKey(row))
    this.add([addRows(foldedRow(vip), row)])
  }

  #remove(key: string): void {
    this.#rows.delete(key)
    this.#goneSince.delete(key)
  }
}

/** Nothing will be counted in it any more, and it can be folded or, with its service, forgotten. */
function isGone(row: LedgerRow, named: NamedRows, counting: ReadonlySet<string>): boolean {
  if (isOfEarlierVips(row)) return !named.hasService(serviceOf(row.vip))
  if (!named.hasVip(row.vip)) return !counting.has(row.vip)
  return !isFolded(row) && !named.hasRow(row) && !counting.has(rowKey(row))
}

function isOfEarlierVips(row: LedgerRow): boolean {
  return row.vip === earlierVips(serviceOf(row.vip))
}
