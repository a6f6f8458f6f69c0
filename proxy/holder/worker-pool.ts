import type { LedgerRow } from '../../src/contracts/ledger.ts'
import type { PlaneReadings } from '../../src/contracts/plane-metrics.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import { backoffDelay } from '../../src/core/backoff.ts'
import { errorMessage } from '../../src/core/errors.ts'
import type { Logger } from '../../src/core/logger.ts'
import { closeHandle } from '../connections/sending.ts'
import { NamedRows } from '../ledger/named-rows.ts'
import { PlaneMetrics } from '../metrics/plane-metrics.ts'
import { addressOf } from '../routing/snapshot.ts'
import type { FromWorker } from '../worker/protocol.ts'
import { withEach } from './hung.ts'
import { TableChange } from './table-change.ts'
import { TicketKeys } from './ticket-keys.ts'
import { Turns } from './turns.ts'
import { WorkerCounts } from './worker-counts.ts'
import { WorkerProcess, type WorkerEvents } from './worker-process.ts'

/** A worker that lived shorter than this died quickly: the next one waits. */
const QUICK_MS = 1000
const BACKOFF = { firstMs: 50, capMs: 2000 }
/** How often every worker is asked for a sign of life. */
const BEAT_MS = 2000

export interface PoolEvents {
  /** Every bound address and its handle, for a worker that starts. */
  handles(): Iterable<[string, unknown]>
  onStatus(urgent: boolean): void
  onListenFailed(address: string, code: string): void
  /** A client's connection that is to go to the successor. */
  onMoved(address: string, handle: unknown): void
  /** Which processes there are has changed; before a new one serves. */
  onProcesses(pids: readonly number[]): void
}

/** Keeps the workers running, gives all of them the same table at the same level, adds up what they count. */
export class WorkerPool implements WorkerEvents {
  readonly #events: PoolEvents
  readonly #log: Logger
  readonly #accessLog: string
  readonly #workers = new Set<WorkerProcess>()
  /** How many have ended that may not have been heard out. */
  #ending = 0
  readonly #counts = new WorkerCounts()
  readonly #own = new PlaneMetrics()
  readonly #ticketKeys: TicketKeys
  /** Current in all that serve. */
  #table: RoutingTable | null = null
  #named = new NamedRows({ listeners: [], pools: {} })
  readonly #change: TableChange
  readonly #beating = new Set<WorkerProcess>()
  #beat: NodeJS.Timeout | null = null
  #quickDeaths = 0
  #count = 1
  #stopping = false
  #given = 0
  /** One change at a time: a worker that starts in the middle of one waits for its end. */
  readonly #turns = new Turns()
  #ready: WorkerProcess[] = []
  #firstReady: (() => void) | null = null

  /** Current keys of session tickets, base64; a successor goes on with them. */
  get ticketKeys(): string {
    return this.#ticketKeys.current
  }

  constructor(events: PoolEvents, accessLog: string, log: Logger, ticketKeys?: string) {
    this.#events = events
    this.#accessLog = accessLog
    this.#log = log
    this.#change = new TableChange(log)
    this.#ticketKeys = new TicketKeys(() => {
      for (const worker of this.#workers) this.#sendTicketKeys(worker)
    }, ticketKeys)
  }

  start(count: number): void {
    this.#count = count
    for (let index = 0; index < count; index++) this.#spawn()
    this.#beat = setInterval(() => this.#askForLife(), BEAT_MS)
  }

  /**
   * Makes `table` current in every worker and the listeners follow. True when all have done so. False if it was put off: a
   * worker did not answer, and nothing has changed in any. Then the newest table is to be tried again.
   */
  async apply(table: RoutingTable): Promise<boolean> {
    let applied = false
    await this.#turns.take(async () => {
      // Before the first worker is up nobody listens, and an acknowledgement would promise too much; after the last none will.
      if (this.#serving().length === 0 && this.#ready.length === 0 && !this.#stopping) {
        await new Promise<void>(resolve => {
          this.#firstReady = resolve
        })
      }
      applied = await this.#change.make(this.#serving(), this.#table, table)
      if (applied) {
        this.#table = table
        this.#named = new NamedRows(table)
        await this.#listenAsTold(this.#serving())
      }
      await this.#bringUpReady()
    })
    return applied
  }

  /** The handles have changed though the table has not: everybody listens on what there is now. */
  async followHandles(): Promise<void> {
    await this.#turns.take(() => this.#listenAsTold(this.#serving()))
  }

  /** In flight and counts, over all workers there are and were. */
  totals(): { inFlight: Record<string, number>; rows: LedgerRow[] } {
    return this.#counts.totals()
  }

  /** Counters over all workers there are and were, gauges over those there are. */
  metrics(): PlaneReadings {
    return this.#counts.metrics(this.#own.read())
  }

  /** Keeps the counts of what is long gone from growing without end. */
  tidyLedger(): void {
    if (this.#table !== null) this.#counts.tidy(this.#named, performance.now())
  }

  /** Lets workers finish what they have, at most `deadlineMs`, then ends them. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    this.#ticketKeys.close()
    this.#stopBeat()
    for (const worker of this.#workers) worker.send({ type: 'stop', deadlineMs })
    const deadline = performance.now() + deadlineMs + 500
    while (this.#workers.size + this.#ending > 0 && performance.now() < deadline) await pause(20)
    for (const worker of this.#workers) worker.kill()
  }

  /** A successor serves: resolves once every worker has ended, which takes about `deadlineMs` at most. */
  async leave(deadlineMs: number): Promise<void> {
    this.#stopping = true
    // Nobody takes the place of one that is slow now, and what it still serves is not to be cut for that.
    this.#stopBeat()
    const workers = [...this.#workers]
    for (const worker of workers) worker.send({ type: 'leave', deadlineMs })
    await Promise.all(workers.map(async worker => worker.silent))
  }

  /** Gives a client's connection that another proxy process gave away to one of the workers. */
  give(address: string, handle: unknown): void {
    const workers = this.#serving()
    const worker = workers[this.#given++ % workers.length]
    if (worker === undefined) closeHandle(handle)
    else worker.give(address, handle)
  }

  // WorkerEvents

  onMoved(address: string, handle: unknown): void {
    this.#events.onMoved(address, handle)
  }

  onReady(worker: WorkerProcess): void {
    this.#sendTicketKeys(worker)
    this.#ready.push(worker)
    this.#firstReady?.()
    this.#firstReady = null
    if (this.#table !== null) void this.#turns.take(() => this.#bringUpReady())
  }

  onMessage(worker: WorkerProcess, message: FromWorker): void {
    if (message.type === 'left') void worker.bye()
    if (message.type === 'listen-again') {
      worker.listening.clear()
      void this.followHandles()
    }
    if (message.type === 'status') this.#events.onStatus(message.urgent)
    else if (message.type === 'listen-failed') this.#events.onListenFailed(message.address, message.code)
  }

  onForgotten(rows: readonly LedgerRow[]): void {
    this.#counts.keep(rows)
  }

  onExit(worker: WorkerProcess, code: number | null, signal: NodeJS.Signals | null): void {
    this.#workers.delete(worker)
    this.#ready = this.#ready.filter(other => other !== worker)
    this.#counts.ended(worker)
    this.#ending++
    void worker.silent.then(() => {
      this.#ending--
      this.#counts.heardOut(worker)
      this.#events.onStatus(true)
    })
    this.#events.onProcesses(this.#pids())
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
      const worker = new WorkerProcess(this, this.#count, this.#accessLog)
      this.#workers.add(worker)
      this.#counts.started(worker)
    } catch (error) {
      // Node tells most of what the system refuses by an event, but not a want of memory.
      this.#log.error({ error: errorMessage(error) }, 'a worker cannot be started')
      this.#spawnAgain()
      return
    }
    this.#events.onProcesses(this.#pids())
  }

  #pids(): number[] {
    return [...this.#workers].flatMap(worker => worker.pid ?? [])
  }

  #serving(): WorkerProcess[] {
    return [...this.#workers].filter(worker => worker.serving)
  }

  async #bringUpReady(): Promise<void> {
    const table = this.#table
    if (table === null) return
    const starting = this.#ready
    this.#ready = []
    for (const worker of starting) {
      worker.send({ type: 'apply', table })
      worker.serving = true
    }
    await this.#listenAsTold(starting)
    for (const { pid, gone } of starting) if (!gone) this.#log.info({ worker: pid }, 'a worker serves')
  }

  /** They listen on the bound addresses of the current table and on no others; resolves when they do. */
  async #listenAsTold(workers: readonly WorkerProcess[]): Promise<void> {
    const inTable = new Set(this.#table?.listeners.map(addressOf))
    const handles = new Map([...this.#events.handles()].filter(([address]) => inTable.has(address)))
    await withEach(workers, this.#log, async worker => {
      for (const [address, handle] of worker.listening) {
        if (handles.get(address) === handle) continue
        worker.listening.delete(address)
        worker.send({ type: 'unlisten', address })
      }
      for (const [address, handle] of handles) {
        if (worker.listening.has(address)) continue
        worker.listening.set(address, handle)
        worker.send({ type: 'listen', address }, handle)
      }
      await worker.sync()
    })
  }

  #stopBeat(): void {
    if (this.#beat !== null) clearInterval(this.#beat)
  }

  #askForLife(): void {
    for (const worker of this.#serving()) {
      if (this.#beating.has(worker)) continue
      this.#beating.add(worker)
      void withEach([worker], this.#log, async () => worker.sync()).finally(() => this.#beating.delete(worker))
    }
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}
