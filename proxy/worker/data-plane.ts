import type { Socket } from 'node:net'
import type { LedgerRow } from '../../src/contracts/ledger.ts'
import type { Revision } from '../../src/contracts/revision.ts'
import { DEFAULT_LIMITS, type Pool, type RoutingTable, type Target } from '../../src/contracts/routing.ts'
import { RetryBudget } from '../balancing/retry-budget.ts'
import { ClientConnection } from '../front/client-connection.ts'
import type { GateWaiter, Plane } from '../front/plane.ts'
import { TcpConnection } from '../front/tcp-connection.ts'
import { HoldQueue } from '../hold/hold-queue.ts'
import { Ledger } from '../ledger/ledger.ts'
import { serveHttp2, type Http2Connection } from '../http2/http2-connection.ts'
import { PrefaceReader } from '../http2/preface-reader.ts'
import { compileTable, type Snapshot } from '../routing/snapshot.ts'
import { TargetState } from '../routing/target.ts'
import { retireStale } from '../upstream/connect.ts'

const SWEEP_MS = 100
/** After the deadline of a drain, how long an orderly end may take. */
const CUT_AFTER_MS = 2000
/** A sweep this late means that this process stood still: what waits is not to blame. */
const STALL_MS = 1000

const NOTHING: Snapshot = {
  revision: { term: 0, n: 0 },
  limits: DEFAULT_LIMITS,
  sites: new Map(),
  targets: new Map(),
  trusted: null,
}

type FrontConnection = ClientConnection | TcpConnection | Http2Connection | PrefaceReader

/** What a data plane reports; `urgent`: a draining target has just reached zero. */
export interface PlaneStatus {
  readonly revision: Revision
  readonly inFlight: Readonly<Record<string, number>>
  readonly rows: readonly LedgerRow[]
}

/** One worker's whole data plane: the current table, the connections, what is held, what is counted. */
export class DataPlane implements Plane {
  snapshot: Snapshot = NOTHING
  readonly ledger = new Ledger()
  readonly budget = new RetryBudget()
  readonly hold = new HoldQueue()
  /** In-flight counts changed since this was last set to false. */
  inFlightChanged = false
  readonly #targets = new Map<string, TargetState>()
  readonly #connections = new Set<FrontConnection>()
  /** Requests on connections speaking HTTP/2. */
  #streams = 0
  readonly #gate = new Set<GateWaiter>()
  readonly #onTargetDrained: () => void
  readonly #sweep: NodeJS.Timeout
  #prepared: RoutingTable | null = null
  #stopping = false
  #lastSweep = performance.now()
  #drained: (() => void) | null = null

  constructor(onTargetDrained: () => void) {
    this.#onTargetDrained = onTargetDrained
    this.#sweep = setInterval(() => this.#watch(), SWEEP_MS)
    this.#sweep.unref()
  }

  get gateClosed(): boolean {
    return this.#prepared !== null
  }

  /** Connections of clients that are open. */
  get connections(): number {
    return this.#connections.size
  }

  /** Descriptors in use or soon to be: each client may need an instance's connection of its own. */
  get descriptors(): number {
    let count = 2 * this.#connections.size + this.#streams
    for (const target of this.#targets.values()) count += target.idle.length
    return count
  }

  /** Makes `table` the current one: one assignment, then what follows from it. */
  apply(table: RoutingTable): void {
    const known = this.#targets
    const now = performance.now()
    const snapshot = compileTable(table, (target, pool) => this.#targetFor(target, pool))
    this.snapshot = snapshot
    this.#prepared = null

    for (const pool of Object.values(table.pools)) {
      for (const target of pool.targets) this.#setMembership(target, pool, now)
    }
    for (const [key, state] of known) {
      if (snapshot.targets.has(key)) continue
      known.delete(key)
      const cause = state.state === 'draining' ? 'drain-deadline' : 'upstream-closed'
      state.state = 'gone'
      state.retireIdle()
      for (const open of state.open) open.cut(cause)
    }
    const waiting = [...this.#gate]
    this.#gate.clear()
    for (const waiter of waiting) waiter.onGateOpen()
    this.hold.releaseInOrder()
  }

  /** First level of a commit over several workers: from here on arriving requests wait, until `commit`. */
  prepare(table: RoutingTable): void {
    this.#prepared = table
  }

  /** Second level: what was prepared becomes current and what waited goes on. */
  commit(): void {
    if (this.#prepared !== null) this.apply(this.#prepared)
  }

  /** Serves an accepted connection of the listener at `address`. */
  accept(address: string, socket: Socket): void {
    const site = this.snapshot.sites.get(address)
    if (site?.http2 === true && site.protocol === 'http') {
      this.#connections.add(new PrefaceReader(this, () => this.snapshot.limits, address, socket))
    } else if (site?.protocol === 'tcp') {
      const connection = new TcpConnection(this, address, socket, ended => this.#forget(ended))
      this.#connections.add(connection)
      connection.choose()
    } else this.#connections.add(new ClientConnection(this, this, address, socket))
  }

  status(): PlaneStatus {
    const inFlight: Record<string, number> = {}
    for (const [key, target] of this.#targets) if (target.inFlight > 0) inFlight[key] = target.inFlight
    return { revision: this.snapshot.revision, inFlight, rows: this.ledger.snapshot() }
  }

  /** Resolves when nothing is being served any more, or after `deadlineMs`, when the rest is cut. */
  async close(deadlineMs: number): Promise<void> {
    this.#stopping = true
    this.#closeIdle()
    if (this.#connections.size > 0) {
      await new Promise<void>(resolve => {
        this.#drained = resolve
        setTimeout(resolve, deadlineMs).unref()
      })
    }
    for (const connection of this.#connections) connection.destroy()
    for (const target of this.#targets.values()) target.retireIdle()
    clearInterval(this.#sweep)
  }

  // Plane

  isClosing(address: string): boolean {
    return this.#stopping || !this.snapshot.sites.has(address)
  }

  waitAtGate(waiting: GateWaiter): void {
    this.#gate.add(waiting)
  }

  leaveGate(waiting: GateWaiter): void {
    this.#gate.delete(waiting)
  }

  onReleased(target: TargetState): void {
    this.inFlightChanged = true
    if (target.inFlight === 0 && target.state !== 'in') this.#onTargetDrained()
  }

  onConnectionClosed(connection: FrontConnection): void {
    this.#forget(connection)
  }

  // Http2Owner

  onStreams(by: 1 | -1): void {
    this.#streams += by
  }

  // PrefaceOutcome

  onHttp2(reader: PrefaceReader): void {
    this.#connections.add(serveHttp2(this, this, reader.address, reader.socket))
    this.#connections.delete(reader)
  }

  onOther(reader: PrefaceReader): ClientConnection {
    const connection = new ClientConnection(this, this, reader.address, reader.socket)
    this.#connections.add(connection)
    this.#connections.delete(reader)
    return connection
  }

  // Private

  #forget(connection: FrontConnection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#drained?.()
  }

  #targetFor(target: Target, pool: Pool): TargetState {
    let state = this.#targets.get(target.key)
    if (state === undefined) {
      state = new TargetState(target, pool)
      this.#targets.set(target.key, state)
    }
    return state
  }

  #setMembership(target: Target, pool: Pool, now: number): void {
    const state = this.#targetFor(target, pool)
    const known = state.state === 'draining'
    state.state = target.state
    if (target.state === 'in') {
      state.drainDeadline = Infinity
      state.orderlyEndBegun = false
      return
    }
    const deadline = now + (target.drainMs ?? pool.drainTimeoutMs)
    state.drainDeadline = known ? Math.min(state.drainDeadline, deadline) : deadline
    state.retireIdle()
  }

  #closeIdle(): void {
    for (const connection of this.#connections) {
      if (!(connection instanceof TcpConnection)) connection.closeIfIdle()
    }
  }

  #watch(): void {
    const now = performance.now()
    const stalled = now - this.#lastSweep > STALL_MS
    this.#lastSweep = now
    // Answers may be waiting to be read: look again at the next sweep.
    if (stalled) return
    for (const target of this.#targets.values()) {
      retireStale(target, now)
      if (now < target.drainDeadline || target.open.size === 0) continue
      if (!target.orderlyEndBegun) {
        target.orderlyEndBegun = true
        for (const open of target.open) open.endOrderly()
      }
      if (now >= target.drainDeadline + CUT_AFTER_MS) for (const open of target.open) open.cut('drain-deadline')
    }
    this.hold.expireAt(now, this.snapshot.limits)
    this.hold.probeAt(now)
    for (const connection of this.#connections) connection.watch(now)
    if (this.#stopping) this.#closeIdle()
  }
}
