import { join } from 'node:path'
import type { ProxyHello, ProxyStatus, ToProxy } from '../../src/contracts/link.ts'
import { compareRevisions, type Revision } from '../../src/contracts/revision.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import { readBootId } from '../../src/core/clock.ts'
import { errorMessage } from '../../src/core/errors.ts'
import { createId } from '../../src/core/ids.ts'
import type { Logger } from '../../src/core/logger.ts'
import type { ControllerRoad } from '../../src/core/member/controller-road.ts'
import { rotateAccessLog } from '../access-log/rotation.ts'
import type { BoundHandle } from './bind.ts'
import { BoundListeners } from './bound-listeners.ts'
import { ControllerLink } from './controller-link.ts'
import { Lives } from './lives.ts'
import { RetriedWrites } from './retried-writes.ts'
import { TableFile } from './table-file.ts'
import { WorkerPool } from './worker-pool.ts'

/** How long a starting proxy waits for the controller's table before it serves with the one on disk. */
const WAIT_FOR_CONTROLLER_MS = 1000
const STATUS_MS = 250
/** How often predecessors are looked for and failed writes tried again. */
const TICK_MS = 250
const TIDY_MS = 10_000
const METRICS_MS = 2000
const ROTATE_MS = 1000
/** Shorter than `vipswap up` waits before it kills. */
const STOP_DEADLINE_MS = 8_000

export interface HolderOptions {
  /** Its folder is `<data>/proxy/<id>`. */
  readonly data: string
  readonly controller: ControllerRoad
  readonly id: string
  readonly workers: number
  readonly log: Logger
  /** What a predecessor hands over, instead of what is on disk and free to bind. */
  readonly inherited?: Inheritance
}

/** What a proxy that is being replaced hands to its successor. */
export interface Inheritance {
  readonly table: RoutingTable | null
  /** Keys of session tickets, base64. */
  readonly ticketKeys: string
  /** Bound sockets, by address. */
  readonly listeners: ReadonlyMap<string, BoundHandle>
}

/** The process that owns the listeners, the newest table and the workers of one proxy; it carries no traffic itself. */
export class Holder {
  readonly incarnation = createId('proxy')
  readonly #options: HolderOptions
  readonly #log: Logger
  readonly #bootId = readBootId()
  readonly #writes: RetriedWrites
  readonly #file: TableFile
  readonly #lives: Lives
  readonly #listeners: BoundListeners
  readonly #workers: WorkerPool
  readonly #link: ControllerLink
  readonly #accessLog: string
  readonly #timers: NodeJS.Timeout[] = []
  #newest: RoutingTable | null = null
  /** What table.json holds, once this life has read or written it. */
  #onDisk: RoutingTable | null = null
  /** Applied by every worker. */
  #applied: RoutingTable | null = null
  /** It could not be applied when that was last tried. */
  #failed: RoutingTable | null = null
  #applying = false
  #onServing: (() => void) | null = null
  #giveAway: ((address: string, handle: unknown) => void) | null = null
  #statusSentAt = 0
  #statusTimer: NodeJS.Timeout | null = null

  constructor(options: HolderOptions) {
    this.#options = options
    this.#log = options.log
    const folder = join(options.data, 'proxy', options.id)
    this.#accessLog = join(folder, 'access.log')
    this.#writes = new RetriedWrites(this.#log)
    this.#file = new TableFile(join(folder, 'table.json'))
    this.#lives = new Lives(join(folder, 'state.json'), this.incarnation, this.#writes)
    this.#listeners = new BoundListeners(
      join(folder, 'ports.json'),
      this.#writes,
      address => void this.#onBoundLater(address),
      options.inherited?.listeners,
    )
    this.#workers = new WorkerPool(
      {
        handles: () => this.#listeners.handles(),
        onStatus: urgent => this.#statusChanged(urgent),
        onListenFailed: (address, code) => {
          this.#listeners.listenFailed(address, code)
          this.#ack()
        },
        onProcesses: pids => this.#lives.record(pids),
        onMoved: (address, handle) => this.#giveAway?.(address, handle),
      },
      this.#accessLog,
      this.#log,
      options.inherited?.ticketKeys,
    )
    this.#link = new ControllerLink(options.controller, {
      hello: () => this.#hello(),
      onMessage: message => this.#onMessage(message),
      onUp: () => this.#log.info('linked to the controller'),
      onCaughtUp: () => this.#sendStatus(),
    })
  }

  start(): void {
    this.#log.info({ id: this.#options.id, incarnation: this.incarnation }, 'proxy starting')
    this.#lives.record([])
    this.#workers.start(this.#options.workers)
    const table = this.#options.inherited?.table ?? null
    if (table !== null) {
      this.#newest = table
      void this.#applyNewest()
    }
    this.#link.start()
    this.#timers.push(
      setTimeout(() => this.#serveFromDisk(), WAIT_FOR_CONTROLLER_MS),
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => this.#workers.tidyLedger(), TIDY_MS),
      setInterval(() => this.#link.sendNews({ type: 'metrics', readings: this.#workers.metrics() }), METRICS_MS),
      setInterval(() => this.#rotateAccessLog(), ROTATE_MS),
    )
  }

  /** Resolves once every worker serves by a table. */
  async serving(): Promise<void> {
    if (this.#applied !== null) return
    await new Promise<void>(resolve => {
      this.#onServing = resolve
    })
  }

  /** A successor is being started, and keeps the record of lives from now on. Gives what it needs. */
  beginHandover(): Inheritance {
    this.#lives.pause()
    return {
      table: this.#newest,
      ticketKeys: this.#workers.ticketKeys,
      listeners: new Map(this.#listeners.bound()),
    }
  }

  /** Nothing came of it. */
  cancelHandover(): void {
    this.#lives.resume()
  }

  /**
   * The successor serves: accepts no more, gives connections away between two requests, and lets the rest finish within
   * `deadlineMs`. Tables are followed and acknowledged until then. Resolves at the end, and not before `alone` has.
   */
  async leave(
    giveAway: (address: string, handle: unknown) => void,
    deadlineMs: number,
    alone: () => Promise<void>,
  ): Promise<void> {
    this.#giveAway = giveAway
    this.#listeners.close()
    await this.#workers.leave(deadlineMs)
    await alone()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#sendStatus(true)
    this.#link.close()
  }

  /** Serves a connection that the predecessor gave away. */
  take(address: string, handle: unknown): void {
    if (this.#giveAway === null) this.#workers.give(address, handle)
    else this.#giveAway(address, handle)
  }

  /** Accepts no more, lets requests finish (8 s at most), tells the controller the last counts. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#listeners.close()
    await this.#workers.stop(STOP_DEADLINE_MS)
    this.#sendStatus(true)
    this.#link.close()
  }

  #hello(): ProxyHello {
    return {
      type: 'hello',
      peer: 'proxy',
      id: this.#options.id,
      incarnation: this.incarnation,
      bootId: this.#bootId,
      // Also before its first second is over: a controller that is behind the table on disk must know it.
      applied: (this.#newest ?? this.#file.read())?.revision ?? null,
      predecessors: this.#lives.predecessors(),
    }
  }

  #onMessage(message: ToProxy): void {
    if (message.type !== 'table') return
    const { table } = message
    // The link begins with a hello, so whoever sends a table has read it.
    this.#lives.heard()
    const known = this.#newest ?? this.#file.read()
    if (known !== null && (known.fabric !== table.fabric || compareRevisions(table.revision, known.revision) < 0)) {
      if (known.fabric === table.fabric) {
        this.#log.warn({ offered: table.revision, known: known.revision }, 'an older table is refused')
      } else {
        this.#log.error(
          { fabric: known.fabric, offered: table.fabric },
          `this proxy belongs to another fabric and refuses the controller's tables: give it a data folder of its own, ` +
            `or stop it and remove ${this.#file.path} to let it change over`,
        )
      }
      this.#link.send({ type: 'refused', revision: table.revision, applied: known.revision })
      return
    }
    if (this.#newest !== null && compareRevisions(table.revision, this.#newest.revision) === 0) {
      // Said again, to a link that came back. Applied again it would begin drains anew.
      this.#ack()
      return
    }
    this.#newest = table
    void this.#applyNewest()
  }

  /** Applies the newest table; those that came and went in the meantime are never applied. */
  async #applyNewest(): Promise<void> {
    if (this.#applying) return
    this.#applying = true
    try {
      for (;;) {
        const table = this.#newest
        if (table === null || table === this.#applied) break
        await this.#listeners.follow(table)
        const applied = this.#workers.apply(table)
        // While the workers apply it: only the acknowledgement promises both. A successor keeps the file, perhaps with a newer one.
        if (this.#giveAway !== null) this.#onDisk = table
        else if (table !== this.#onDisk) this.#writes.attempt('table.json', () => this.#write(table))
        // Put off: another may be the newest by now.
        if (!(await applied)) continue
        this.#applied = table
        this.#ack()
        this.#onServing?.()
        const { revision, operations = [] } = table
        this.#log[operations.length === 0 ? 'debug' : 'info']({ revision, operations }, 'applied a table')
      }
    } catch (error) {
      // It is tried again with each tick; once is enough to say so.
      if (this.#newest !== this.#failed) this.#log.error({ error: errorMessage(error) }, 'a table could not be applied')
      this.#failed = this.#newest
    } finally {
      this.#applying = false
    }
  }

  #serveFromDisk(): void {
    const stored = this.#newest === null ? this.#file.read() : null
    if (stored === null) return
    this.#log.warn({ revision: stored.revision }, 'no controller: serving with the table on disk')
    this.#newest = stored
    this.#onDisk = stored
    void this.#applyNewest()
  }

  async #onBoundLater(address: string): Promise<void> {
    await this.#workers.followHandles()
    if (this.#listeners.handle(address) !== null) this.#log.info({ address }, 'bound at last')
    this.#ack()
  }

  #write(table: RoutingTable): void {
    this.#file.write(table)
    this.#onDisk = table
    // Where the disk was full before, this is what the acknowledgement waited for.
    this.#ack()
  }

  /** Says which table is applied and on disk; nothing while it is not both. */
  #ack(): void {
    const revision = this.#applied?.revision
    if (revision === undefined || this.#applied !== this.#onDisk) return
    this.#statusSentAt = performance.now()
    this.#link.send({ type: 'ack', revision, listeners: this.#listeners.status(), status: this.#status(revision) })
  }

  #status(revision: Revision): ProxyStatus {
    const { inFlight, rows } = this.#workers.totals()
    return { revision, inFlight, ledger: { incarnation: this.incarnation, rows } }
  }

  #statusChanged(urgent: boolean): void {
    if (urgent) this.#sendStatus()
    else {
      const wait = this.#statusSentAt + STATUS_MS - performance.now()
      this.#statusTimer ??= setTimeout(() => this.#sendStatus(), Math.max(0, wait))
    }
  }

  #sendStatus(isLast = false): void {
    if (this.#statusTimer !== null) clearTimeout(this.#statusTimer)
    this.#statusTimer = null
    if (this.#applied === null) return
    this.#statusSentAt = performance.now()
    const status = { type: 'status', status: this.#status(this.#applied.revision) } as const
    if (isLast) this.#link.send(status)
    else this.#link.sendNews(status)
  }

  #rotateAccessLog(): void {
    if (this.#newest?.limits.accessLog == null || this.#giveAway !== null) return
    try {
      if (rotateAccessLog(this.#accessLog)) this.#log.info('access log rotated')
    } catch (error) {
      this.#log.error({ error: errorMessage(error) }, 'the access log cannot be rotated')
    }
  }

  #tick(): void {
    this.#writes.retry()
    if (this.#newest !== this.#applied) void this.#applyNewest()
    if (this.#lives.allGone) return
    for (const incarnation of this.#lives.newlyGone()) {
      this.#link.send({ type: 'predecessor', incarnation, exited: true })
    }
  }
}
