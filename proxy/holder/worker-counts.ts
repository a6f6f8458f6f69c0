import type { LedgerRow } from '../../src/contracts/ledger.ts'
import type { PlaneReadings } from '../../src/contracts/plane-metrics.ts'
import { sumRows } from '../../src/model/ledger-row.ts'
import { KeptRows } from '../ledger/kept-rows.ts'
import type { LedgerCopy } from '../ledger/ledger-copy.ts'
import type { NamedRows } from '../ledger/named-rows.ts'
import { ProxyMetrics } from '../metrics/proxy-metrics.ts'

/** What a worker has said of what it counts. */
export interface Counting {
  readonly inFlight: Readonly<Record<string, number>>
  readonly ledger: LedgerCopy
  readonly readings: PlaneReadings
}

/** What all workers of a proxy count and have counted, those that are gone too. */
export class WorkerCounts {
  /** With the number that metrics tell it by. */
  readonly #running = new Map<Counting, number>()
  /** Their processes have ended, and their last words may still be on their way. */
  readonly #ended = new Set<Counting>()
  readonly #kept = new KeptRows()
  readonly #metrics = new ProxyMetrics()

  started(worker: Counting): void {
    const taken = new Set(this.#running.values())
    let number = 0
    while (taken.has(number)) number++
    this.#running.set(worker, number)
  }

  ended(worker: Counting): void {
    this.#running.delete(worker)
    this.#ended.add(worker)
  }

  /** It has ended, and all that it said was heard: what it had open is broken. */
  heardOut(worker: Counting): void {
    this.#ended.delete(worker)
    this.#kept.add(worker.ledger.close())
    this.#metrics.keep(worker.readings)
  }

  /** Counts that a worker keeps no more. */
  keep(rows: readonly LedgerRow[]): void {
    this.#kept.add(rows)
  }

  totals(): { inFlight: Record<string, number>; rows: LedgerRow[] } {
    const inFlight: Record<string, number> = {}
    for (const worker of this.#running.keys()) {
      for (const [key, count] of Object.entries(worker.inFlight)) inFlight[key] = (inFlight[key] ?? 0) + count
    }
    return { inFlight, rows: sumRows([this.#kept.rows, ...this.#rows()]) }
  }

  /** Counters over all workers there are and were, gauges over those there are; `own`: the holder's. */
  metrics(own: PlaneReadings): PlaneReadings {
    const running = Array.from(this.#running, ([{ readings }, worker]) => ({ worker, readings }))
    const ended = Array.from(this.#ended, ({ readings }) => readings)
    return this.#metrics.total(running, ended, own)
  }

  /** Keeps the counts of what is long gone from growing without end. `now` is monotonic. */
  tidy(named: NamedRows, now: number): void {
    this.#kept.tidy(named, this.#rows().flat(), now)
  }

  #rows(): LedgerRow[][] {
    return [...this.#running.keys(), ...this.#ended].map(({ ledger }) => ledger.rows)
  }
}
