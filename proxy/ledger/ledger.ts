import { BROKEN_CAUSES, type BrokenCause, type LedgerRow } from '../../src/contracts/ledger.ts'

// Places in a row's counters.
export const ARRIVED = 0
export const ANSWERED = 1
export const REFUSED = 2
export const CLIENT_GONE = 3
export const HELD = 4
const HELD_MAX_MS = 5
export const REPLAYED = 6
const BROKEN = 7
const SIZE = BROKEN + BROKEN_CAUSES.length

const BROKEN_PLACE = new Map<BrokenCause, number>(BROKEN_CAUSES.map((cause, index) => [cause, BROKEN + index]))

/** Counters of one VIP, deployment and version: doubles in a typed array, exact up to 2^53. */
export class Row {
  readonly vip: string
  readonly deployment: string
  readonly version: string
  readonly counts = new Float64Array(SIZE)
  readonly #ledger: Ledger

  constructor(ledger: Ledger, vip: string, deployment: string, version: string) {
    this.#ledger = ledger
    this.vip = vip
    this.deployment = deployment
    this.version = version
  }

  add(place: number): void {
    this.counts[place] = (this.counts[place] ?? 0) + 1
    this.#ledger.changed = true
  }

  broken(cause: BrokenCause): void {
    this.add(BROKEN_PLACE.get(cause) ?? BROKEN)
  }

  heldFor(ms: number): void {
    if (ms > (this.counts[HELD_MAX_MS] ?? 0)) this.counts[HELD_MAX_MS] = Math.round(ms)
    this.#ledger.changed = true
  }
}

/** All counts of one worker since it started. Rows are never removed: what was counted stays counted. */
export class Ledger {
  /** Something was counted since this was last set to false. */
  changed = false
  readonly #rows = new Map<string, Row>()

  row(vip: string, deployment: string, version: string): Row {
    const key = `${vip}\n${deployment}\n${version}`
    let row = this.#rows.get(key)
    if (row === undefined) {
      row = new Row(this, vip, deployment, version)
      this.#rows.set(key, row)
    }
    return row
  }

  snapshot(): LedgerRow[] {
    const rows: LedgerRow[] = []
    for (const { vip, deployment, version, counts } of this.#rows.values()) {
      const broken: Partial<Record<BrokenCause, number>> = {}
      for (const [cause, place] of BROKEN_PLACE) {
        const count = counts[place] ?? 0
        if (count > 0) broken[cause] = count
      }
      rows.push({
        vip,
        deployment,
        version,
        arrived: counts[ARRIVED] ?? 0,
        answered: counts[ANSWERED] ?? 0,
        refused: counts[REFUSED] ?? 0,
        clientGone: counts[CLIENT_GONE] ?? 0,
        held: counts[HELD] ?? 0,
        heldMaxMs: counts[HELD_MAX_MS] ?? 0,
        replayed: counts[REPLAYED] ?? 0,
        broken,
      })
    }
    return rows
  }
}
