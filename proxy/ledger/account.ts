import type { BrokenCause } from '../../src/contracts/ledger.ts'
import type { TargetState } from '../routing/target.ts'
import { ANSWERED, ARRIVED, CLIENT_GONE, HELD, REFUSED, REPLAYED, type Ledger, type Row } from './ledger.ts'

/** How a request ended, in the ledger's words. */
export type Outcome = 'answered' | 'refused' | 'client-gone' | BrokenCause

/** One request's entries in the ledger: one arrival, one end, in the rows of the choices it had then. */
export class Account {
  /** A listener's key. */
  vip = ''
  readonly #ledger: Ledger
  #row: Row | null = null
  #arrived = false
  #ended = false

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** The request has (or has not, null) been given an instance. True at the first time: it arrived. */
  chosen(target: TargetState | null): boolean {
    const last = target?.lastRow
    if (target === null) {
      this.#row = this.#ledger.row(this.vip, '', '')
    } else if (last !== null && last !== undefined && last.vip === this.vip) {
      this.#row = last
    } else {
      this.#row = this.#ledger.row(this.vip, target.deployment, target.version)
      target.lastRow = this.#row
    }
    if (this.#arrived) return false
    this.#arrived = true
    this.#row.add(ARRIVED)
    return true
  }

  held(): void {
    this.#ledger.row(this.vip, '', '').add(HELD)
  }

  heldFor(ms: number): void {
    this.#ledger.row(this.vip, '', '').heldFor(ms)
  }

  replayed(): void {
    this.#row?.add(REPLAYED)
  }

  ended(outcome: Outcome): void {
    if (this.#ended) return
    this.#ended = true
    if (!this.#arrived) this.chosen(null)
    const row = this.#row
    if (outcome === 'answered') row?.add(ANSWERED)
    else if (outcome === 'refused') row?.add(REFUSED)
    else if (outcome === 'client-gone') row?.add(CLIENT_GONE)
    else row?.broken(outcome)
  }
}
