import type { LedgerRow } from '../../src/contracts/ledger.ts'

type Count = { -readonly [K in keyof LedgerRow]: LedgerRow[K] }

/** What one proxy incarnation counts: rows that only grow. */
export class SimLedger {
  readonly #rows = new Map<string, Count>()
  /** Open requests by target. */
  readonly #open = new Map<string, Set<{ readonly row: Count }>>()

  rows(): LedgerRow[] {
    return Array.from(this.#rows.values(), row => ({ ...row, broken: { ...row.broken } }))
  }

  /** A request on a target. What it answers ends it: answered, or broken; false if it was broken off before. */
  arrived(target: string, of: Pick<LedgerRow, 'vip' | 'deployment' | 'version'>): (broken: boolean) => boolean {
    const row = this.#row(of)
    row.arrived += 1
    const open = this.#open.get(target) ?? new Set()
    this.#open.set(target, open)
    const request = { row }
    open.add(request)
    return broken => {
      if (!open.delete(request)) return false
      if (broken) breakOne(row)
      else row.answered += 1
      return true
    }
  }

  /** All that is open on a target has come to nothing. */
  broken(target: string): void {
    const open = this.#open.get(target) ?? new Set()
    for (const { row } of open) breakOne(row)
    open.clear()
  }

  #row(of: Pick<LedgerRow, 'vip' | 'deployment' | 'version'>): Count {
    const key = `${of.vip} ${of.deployment} ${of.version}`
    const known = this.#rows.get(key)
    if (known !== undefined) return known
    const row: Count = {
      ...of,
      arrived: 0,
      answered: 0,
      refused: 0,
      clientGone: 0,
      held: 0,
      heldMaxMs: 0,
      replayed: 0,
      broken: {},
    }
    this.#rows.set(key, row)
    return row
  }
}

function breakOne(row: Count): void {
  row.broken = { ...row.broken, 'upstream-closed': (row.broken['upstream-closed'] ?? 0) + 1 }
}
