import { BUCKETS, bucketOf, sparseBuckets } from '../../src/core/histogram.ts'
import {
  BROKEN_CAUSES,
  emptyRow,
  type AnswerCounts,
  type BrokenCause,
  type Durations,
  type LedgerRow,
  type StatusClasses,
} from '../../src/model/ledger-row.ts'
import type { NamedRows } from './named-rows.ts'

// Places in a row's counters.
export const ARRIVED = 0
export const ANSWERED = 1
export const REFUSED = 2
export const CLIENT_GONE = 3
export const HELD = 4
const HELD_MAX_MS = 5
export const REPLAYED = 6
const BYTES_IN = 7
const BYTES_OUT = 8
/** 1xx to 5xx, passed on and own. */
const STATUSES = 9
const OWN_STATUSES = 14
const BROKEN = 19
/** A sum in microseconds, then the buckets. */
const DURATION = BROKEN + BROKEN_CAUSES.length
const FIRST_BYTE = DURATION + 1 + BUCKETS
const SIZE = FIRST_BYTE + 1 + BUCKETS

const BROKEN_PLACE = new Map<BrokenCause, number>(BROKEN_CAUSES.map((cause, index) => [cause, BROKEN + index]))

/** Counters of one VIP, deployment and version: doubles in a typed array, exact up to 2^53. */
export class Row {
  readonly vip: string
  readonly deployment: string
  readonly version: string
  readonly counts = new Float64Array(SIZE)
  /** Requests that may still be counted here: the row is not forgotten before. */
  users = 0
  /** Something was counted since it was last told. */
  changed = true
  readonly #ledger: Ledger

  constructor(ledger: Ledger, vip: string, deployment: string, version: string) {
    this.#ledger = ledger
    this.vip = vip
    this.deployment = deployment
    this.version = version
  }

  add(place: number): void {
    this.counts[place] = (this.counts[place] ?? 0) + 1
    this.changed = true
    this.#ledger.changed = true
  }

  broken(cause: BrokenCause): void {
    this.add(BROKEN_PLACE.get(cause) ?? BROKEN)
  }

  heldFor(ms: number): void {
    if (ms > (this.counts[HELD_MAX_MS] ?? 0)) this.counts[HELD_MAX_MS] = Math.round(ms)
    this.changed = true
    this.#ledger.changed = true
  }

  /** An answer with this status went out; `own`: made by the proxy. */
  status(status: number, own: boolean): void {
    const place = (own ? OWN_STATUSES : STATUSES) - 1 + Math.floor(status / 100)
    this.counts[place] = (this.counts[place] ?? 0) + 1
  }

  bytes(received: number, sent: number): void {
    this.counts[BYTES_IN] = (this.counts[BYTES_IN] ?? 0) + received
    this.counts[BYTES_OUT] = (this.counts[BYTES_OUT] ?? 0) + sent
  }

  /** How long an answered request took, and how long the head of its answer. In milliseconds. */
  took(ms: number, firstByteMs: number): void {
    this.#measure(DURATION, ms)
    this.#measure(FIRST_BYTE, firstByteMs)
  }

  /** As it is told. */
  read(): LedgerRow {
    const { counts } = this
    const broken: Partial<Record<BrokenCause, number>> = {}
    for (const [cause, place] of BROKEN_PLACE) {
      const count = counts[place] ?? 0
      if (count > 0) broken[cause] = count
    }
    const row: LedgerRow = {
      ...emptyRow(this.vip, this.deployment, this.version),
      arrived: counts[ARRIVED] ?? 0,
      answered: counts[ANSWERED] ?? 0,
      refused: counts[REFUSED] ?? 0,
      clientGone: counts[CLIENT_GONE] ?? 0,
      held: counts[HELD] ?? 0,
      heldMaxMs: counts[HELD_MAX_MS] ?? 0,
      replayed: counts[REPLAYED] ?? 0,
      broken,
    }
    const answers = this.#answers()
    return answers === null ? row : { ...row, answers }
  }

  #measure(start: number, ms: number): void {
    const { counts } = this
    const place = start + 1 + bucketOf(ms)
    counts[start] = (counts[start] ?? 0) + Math.round(ms * 1000)
    counts[place] = (counts[place] ?? 0) + 1
  }

  #answers(): AnswerCounts | null {
    const { counts } = this
    let any = (counts[BYTES_IN] ?? 0) + (counts[BYTES_OUT] ?? 0)
    for (let place = STATUSES; place < BROKEN; place++) any += counts[place] ?? 0
    if (any === 0) return null
    return {
      statuses: classes(counts, STATUSES),
      own: classes(counts, OWN_STATUSES),
      bytesIn: counts[BYTES_IN] ?? 0,
      bytesOut: counts[BYTES_OUT] ?? 0,
      duration: durations(counts, DURATION),
      firstByte: durations(counts, FIRST_BYTE),
    }
  }
}

function classes(counts: Float64Array, at: number): StatusClasses {
  return [counts[at] ?? 0, counts[at + 1] ?? 0, counts[at + 2] ?? 0, counts[at + 3] ?? 0, counts[at + 4] ?? 0]
}

function durations(counts: Float64Array, start: number): Durations {
  return { sumUs: counts[start] ?? 0, buckets: sparseBuckets(counts, start + 1) }
}

/** What was counted since the last telling. */
export interface LedgerNews {
  /** Rows in which something changed, each with all it ever counted. */
  readonly rows: readonly LedgerRow[]
  /** Keys of rows that this ledger has forgotten: their last counts were told, here or before; it begins at zero again. */
  readonly forgotten: readonly string[]
}

/** All counts of one worker. What it forgets, its holder has. */
export class Ledger {
  /** Something was counted since the last telling. */
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

  /** A request was refused before it was one: it arrived and is over. */
  refused(vip: string, status: number): void {
    const row = this.row(vip, '', '')
    row.add(ARRIVED)
    row.add(REFUSED)
    row.status(status, true)
  }

  /** Every row there is. */
  snapshot(): LedgerRow[] {
    return Array.from(this.#rows.values(), row => row.read())
  }

  /** What changed since the last telling. Rows that the table names no more are told once more and forgotten. */
  tell(named: NamedRows): LedgerNews {
    this.changed = false
    const rows: LedgerRow[] = []
    const forgotten: string[] = []
    for (const [key, row] of this.#rows) {
      if (row.changed) rows.push(row.read())
      row.changed = false
      if (row.users > 0) continue
      if (named.hasRow(row)) continue
      this.#rows.delete(key)
      forgotten.push(key)
    }
    return { rows, forgotten }
  }
}
