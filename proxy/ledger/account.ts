import type { BrokenCause } from '../../src/contracts/ledger.ts'
import type { TargetState } from '../routing/target.ts'
import { ANSWERED, ARRIVED, CLIENT_GONE, HELD, REFUSED, REPLAYED, type Ledger, type Row } from './ledger.ts'

/** How a request ended, in the ledger's words. */
export type Outcome = 'answered' | 'refused' | 'client-gone' | BrokenCause

/** One request's entries in the ledger: one arrival, one end, in the rows of the choices it had then. Times are monotonic milliseconds. */
export class Account {
  /** A listener's key. */
  vip = ''
  readonly arrivedAt: number
  /** When the present instance was chosen; 0 while there has been none. */
  chosenAt = 0
  /** When the head of an instance's answer came; 0 before. */
  headAt = 0
  /** Of the answer that went out; 0 while none has. */
  status = 0
  /** The answer is the proxy's own. */
  own = false
  /** Bytes of the body, or of the tunnel: from the client and to it. */
  bytesIn = 0
  bytesOut = 0
  heldMs = 0
  replays = 0
  readonly #ledger: Ledger
  #row: Row | null = null
  #arrived = false
  #ended = false

  constructor(ledger: Ledger, arrivedAt: number) {
    this.#ledger = ledger
    this.arrivedAt = arrivedAt
  }

  /** The request has (or has not, null) been given an instance, at `now`. True at the first time: it arrived. */
  chosen(target: TargetState | null, now: number): boolean {
    const last = target?.lastRow
    if (target === null) {
      this.#countIn(this.#ledger.row(this.vip, '', ''))
    } else {
      this.chosenAt = now
      if (last !== null && last !== undefined && last.vip === this.vip) {
        this.#countIn(last)
      } else {
        const row = this.#ledger.row(this.vip, target.deployment, target.version)
        target.lastRow = row
        this.#countIn(row)
      }
    }
    if (this.#arrived) return false
    this.#arrived = true
    this.#row?.add(ARRIVED)
    return true
  }

  held(): void {
    this.#ledger.row(this.vip, '', '').add(HELD)
  }

  heldFor(ms: number): void {
    this.heldMs = ms
    this.#ledger.row(this.vip, '', '').heldFor(ms)
  }

  replayed(): void {
    this.replays++
    this.#row?.add(REPLAYED)
  }

  /** The head of an instance's answer goes out. */
  answering(status: number, now: number): void {
    this.status = status
    this.headAt = now
  }

  /** An instance's answer is whole; it ends now. */
  answeredWhole(now: number): void {
    this.#row?.took(now - this.arrivedAt, this.headAt - this.arrivedAt)
  }

  /** The proxy answers by itself. */
  answersItself(status: number): void {
    this.status = status
    this.own = true
  }

  ended(outcome: Outcome): void {
    if (this.#ended) return
    if (!this.#arrived) this.chosen(null, 0)
    this.#ended = true
    const row = this.#row
    if (row === null) return
    if (outcome === 'answered') row.add(ANSWERED)
    else if (outcome === 'refused') row.add(REFUSED)
    else if (outcome === 'client-gone') row.add(CLIENT_GONE)
    else row.broken(outcome)
    if (this.status > 0) row.status(this.status, this.own)
    row.bytes(this.bytesIn, this.bytesOut)
    row.users--
  }

  #countIn(row: Row): void {
    if (row === this.#row) return
    if (this.#row !== null) this.#row.users--
    this.#row = row
    row.users++
  }
}
