import type { LedgerRow } from '../../src/contracts/ledger.ts'
import type { PlaneReadings } from '../../src/contracts/plane-metrics.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import { backoffDelay } from '../../src/core/backoff.ts'
import { errorMessage } from '../../src/core/errors.ts'
import type { Logger } from '../../src/core/logger.ts'
import { sumRows } from '../../src/model/ledger-row.ts'
import { KeptRows } from '../ledger/kept-rows.ts'
import { NamedRows } from '../ledger/named-rows.ts'
import { PlaneMetrics } from '../metrics/plane-metrics.ts'
import { ProxyMetrics } from '../metrics/proxy-metrics.ts'
import type { FromWorker } from '../worker/protocol.ts'
import { TicketKeys } from './ticket-keys.ts'
import { WorkerProcess, type WorkerEvents } from './worker-process.ts'

/** A worker that lived shorter than this died quickly: the next one waits. */
const QUICK_MS = 1000
const BACKOFF = { firstMs: 50, capMs: 2000 }
/** A worker that does not do what it was told within this is hung, and is replaced. */
const HUNG_MS = 5000

export interface PoolEvents {
  /** Every bound address and its handle, for a worker that starts. */
  handles(): Iterable<[string, unknown]>
  onStatus(urgent: boolean): void
  onListenFailed(address: string, code: string): void
  /** Which processes there are has changed; before a new one serves. */
  onProcesses(pids: readonly number[]): void
}

/** Keeps the workers running, gives all of them the same table at the same level, adds up what they count. */
export class WorkerPool implements WorkerEvents {
  readonly #events: PoolEvents
  readonly #log: Logger
  readonly #accessLog: string
  /** With the number that metrics tell it by: the lowest that is free. */
  readonly #workers = new Map<WorkerProcess, number>()
  readonly #own = new PlaneMetrics()
  readonly #metrics = new ProxyMetrics()
  readonly #ticketKeys = new TicketKeys(() => {
    for (const worker of this.#workers.keys()) this.#sendTicketKeys(worker)
  })
  #table: RoutingTable | null = null
  readonly #kept = new KeptRows()
  #named = new NamedRows({ listeners: [], pools: {} })
  #quickDeaths = 0
  #count = 1
  #stopping = false
  /** One change at a time: a worker that starts in the middle of one waits for its end. */
  #turn: Promise<void> | null = null
  #ready: WorkerProcess[] = []
  #firstReady: (() => void) | null = null

  constructor(events: PoolEvents, accessLog: string, log: Logger) {
    this.#events = events
    this.#accessLog = accessLog
    this.#log = log
  }

  start(count: number): void {
    this.#count = count
    for (let index = 0; index < count; index++) this.#spawn()
  }

  /** Makes `table` current in every worker and the listeners follow; resolves when all have done so. */
  async apply(table: RoutingTable, opened: readonly string[], closed: readonly string[]): Promise<void> {
    await this.#inTurn(async () => {
      this.#table = table
      this.#named = new NamedRows(table)
      const workers = this.#serving()
      // Before the first worker is up nobody listens, and an acknowledgement would promise too much.
      if (workers.length === 0 && this.#ready.length === 0) {
        await new Promise<void>(resolve => {
          this.#firstReady = resolve
        })
      }
      if (workers.length > 1) {
        // Two levels: nobody serves by the new table before everybody has stopped serving by the old one.
        await this.#all(workers, async worker => {
          const prepared = worker.prepared()
          worker.send({ type: 'prepare', table })
          await prepared
        })
        for (const worker of workers) worker.send({ type: 'commit' })
      } else for (const worker of workers) worker.send({ type: 'apply', table })
      await this.#all(workers, async worker => {
        for (const address of closed) worker.send({ type: 'unlisten', address })
        for (const [address, handle] of this.#events.handles()) {
          if (opened.includes(address)) worker.send({ type: 'listen', address }, handle)
        }
        await worker.sync()
      })
      await this.#bringUpReady()
    })
  }

  /** Listens on one more address, bound after its table was applied. */
  async listen(address: string, handle: unknown): Promise<void> {
    await this.#inTurn(async () => {
      await this.#all(this.#serving(), async worker => {
        worker.send({ type: 'listen', address }, handle)
        await worker.sync()
      })
    })
  }

  /** In flight and counts, over all workers there are and were. */
  totals(): { inFlight: Record<string, number>; rows: LedgerRow[] } {
    const inFlight: Record<string, number> = {}
    for (const worker of this.#workers.keys()) {
      for (const [key, count] of Object.entries(worker.inFlight)) inFlight[key] = (inFlight[key] ?? 0) + count
    }
    return { inFlight, rows: sumRows([this.#kept.rows, ...this.#liveRows()]) }
  }

  /** Counters over all workers there are and were, gauges over those there are. */
  metrics(): PlaneReadings {
    const workers = Array.from(this.#workers, ([{ readings }, worker]) => ({ worker, readings }))
    return this.#metrics.total(workers, this.#own.read())
  }

  /** Keeps the counts of what is long gone from growing without end. */
  tidyLedger(): void {
    if (this.#table !== null) this.#kept.tidy(this.#named, this.#liveRows().flat(), performance.now())
  }

  /** Lets workers finish what they have, at most `deadlineMs`, then ends them. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    this.#ticketKeys.close()
    for (const worker of this.#workers.keys()) worker.send({ type: 'stop', deadlineMs })
    const deadline = performance.now() + deadlineMs + 500
    while (this.#workers.size > 0 && performance.now() < deadline) await pause(20)
    for (const worker of this.#workers.keys()) worker.kill()
  }

  // WorkerEvents

  onReady(worker: WorkerProcess): void {
    this.#sendTicketKeys(worker)
    this.#ready.push(worker)
    this.#firstReady?.()
    this.#firstReady = null
    if (this.#table !== null) void this.#inTurn(() => this.#bringUpReady())
  }

  onMessage(worker: WorkerProcess, message: FromWorker): void {
    if (message.type === 'listen-again') void this.#inTurn(() => this.#listenAgain(worker))
    else if (message.type === 'status') this.#events.onStatus(message.urgent)
    else if (message.type === 'listen-failed') this.#events.onListenFailed(message.address, message.code)
  }

  onForgotten(rows: readonly LedgerRow[]): void {
    this.#kept.add(rows)
  }

  onExit(worker: WorkerProcess, code: number | null, signal: NodeJS.Signals | null): void {
    this.#workers.delete(worker)
    this.#ready = this.#ready.filter(other => other !== worker)
    this.#kept.add(worker.ledger.close())
    this.#metrics.keep(worker.readings)
    this.#events.onProcesses(this.#pids())
    this.#events.onStatus(true)
    if (this.#stopping) return
    this.#own.add('workerRestarts')
    this.#log.warn({ worker: worker.pid, code, signal }, 'a worker died')
    if (performance.now() - worker.startedAt > QUICK_MS) this.#quickDeaths = 0
    this.#spawnAgain()
  }

  // Private

  #sendTicketKeys(worker: WorkerProcess): void {
    worker.send({ type: 'ticket-keys', keys: this.#ticketKeys.current })
  }

  #spawnAgain(): void {
    const delay = this.#quickDeaths === 0 ? 0 : backoffDelay(this.#quickDeaths - 1, BACKOFF)
    this.#quickDeaths++
    if (delay === 0) this.#spawn()
    else setTimeout(() => this.#spawn(), delay)
  }

  #spawn(): void {
    if (this.#stopping) return
    try {
      const taken = new Set(this.#workers.values())
      let number = 0
      while (taken.has(number)) number++
      this.#workers.set(new WorkerProcess(this, this.#count, this.#accessLog), number)
    } catch (error) {
      // Node tells most of what the system refuses by an event, but not a want of memory.
      this.#log.error({ error: errorMessage(error) }, 'a worker cannot be started')
      this.#spawnAgain()
      return
    }
    this.#events.onProcesses(this.#pids())
  }

  #liveRows(): LedgerRow[][] {
    return Array.from(this.#workers.keys(), worker => worker.ledger.rows)
  }

  #pids(): number[] {
    return [...this.#workers.keys()].flatMap(worker => worker.pid ?? [])
  }

  #serving(): WorkerProcess[] {
    return [...this.#workers.keys()].filter(worker => worker.serving)
  }

  async #bringUpReady(): Promise<void> {
    const table = this.#table
    if (table === null) return
    const starting = this.#ready
    this.#ready = []
    await this.#all(starting, async worker => {
      worker.send({ type: 'apply', table })
      for (const [address, handle] of this.#events.handles()) worker.send({ type: 'listen', address }, handle)
      worker.serving = true
      await worker.sync()
    })
  }

  async #listenAgain(worker: WorkerProcess): Promise<void> {
    await this.#all([worker], async () => {
      for (const [address, handle] of this.#events.handles()) worker.send({ type: 'listen', address }, handle)
      await worker.sync()
    })
  }

  /** Does `act` with each worker; one that is hung is killed, its place is taken by a new one. */
  async #all(workers: readonly WorkerProcess[], act: (worker: WorkerProcess) => Promise<void>): Promise<void> {
    await Promise.all(
      workers.map(async worker => {
        const hung = setTimeout(() => {
          this.#log.error({ worker: worker.pid }, 'a worker hangs and is killed')
          worker.kill()
        }, HUNG_MS)
        await act(worker)
        clearTimeout(hung)
      }),
    )
  }

  /** Begins `act` in this very step if nothing else is under way. */
  async #inTurn(act: () => Promise<void>): Promise<void> {
    const mine = this.#turn === null ? act() : this.#turn.then(act)
    const turn = mine
      .catch(() => {})
      .then(() => {
        if (this.#turn === turn) this.#turn = null
      })
    this.#turn = turn
    await mine
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}
