import { emptyRow, openOf, rowKey, type LedgerRow } from '../../src/model/ledger-row.ts'
import type { LedgerNews } from './ledger.ts'

/** One worker's ledger as its holder knows it. */
export class LedgerCopy {
  readonly #rows = new Map<string, LedgerRow>()
  /** Per VIP: open requests by the rows that were forgotten. A held request arrives in one row and ends in another. */
  readonly #openInForgotten = new Map<string, number>()

  /** Takes news in; answers the last counts of rows that were forgotten, which are the caller's to keep from now on. */
  hear({ rows, forgotten }: LedgerNews): LedgerRow[] {
    for (const row of rows) this.#rows.set(rowKey(row), row)
    const given: LedgerRow[] = []
    for (const key of forgotten) {
      const row = this.#rows.get(key)
      if (row === undefined) continue
      this.#rows.delete(key)
      given.push(row)
      const open = (this.#openInForgotten.get(row.vip) ?? 0) + openOf(row)
      if (open === 0) this.#openInForgotten.delete(row.vip)
      else this.#openInForgotten.set(row.vip, open)
    }
    return given
  }

  get rows(): LedgerRow[] {
    return [...this.#rows.values()]
  }

  /**
   * The worker has died: its last rows, and what it had open is broken by `proxy-died`, in the rows where more arrived than
   * ended as far as there are such.
   */
  close(): LedgerRow[] {
    const open = new Map(this.#openInForgotten)
    for (const row of this.#rows.values()) open.set(row.vip, (open.get(row.vip) ?? 0) + openOf(row))
    const closed = this.rows.map(row => {
      const left = open.get(row.vip) ?? 0
      const here = Math.min(left, Math.max(0, openOf(row)))
      if (here <= 0) return row
      open.set(row.vip, left - here)
      return broken(row, here)
    })
    // Where the row they arrived in was forgotten.
    for (const [vip, left] of open) if (left > 0) closed.push(broken(emptyRow(vip, '', ''), left))
    return closed
  }
}

function broken(row: LedgerRow, count: number): LedgerRow {
  return { ...row, broken: { ...row.broken, 'proxy-died': (row.broken['proxy-died'] ?? 0) + count } }
}
