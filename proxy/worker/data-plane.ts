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
import { compileTable, leadingNowhere, type Snapshot } from '../routing/snapshot.ts'
import { TargetState } from '../routing/target.ts'
import { TunnelCounts } from '../tunnel/tunnel-counts.ts'
import { retireStale } from '../upstream/connect.ts'
import { beginDrain, drainAt, endDrain } from './drain.ts'
import { Gate } from './gate.ts'

const SWEEP_MS = 100
/** A sweep this late means that this process stood still: what waits is not to blame. */
const STALL_MS = 1000

const NOTHING: Snapshot = {
  revision: { term: 0, n: 0 },
  limits: DEFAULT_LIMITS,
  sites: new Map(),
  targets: new Map(),
  trusted: null,
}

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
  readonly tunnels = new TunnelCounts()
  /** In-flight counts changed since this was last set to false. */
  inFlightChanged = false
  readonly #targets = new Map<string, TargetState>()
  readonly #connections = new Set<ClientConnection | TcpConnection>()
  readonly #gate = new Gate()
  readonly #onTargetDrained: () => void
  readonly #sweep: NodeJS.Timeout
  #stopping = false
  #lastSweep = performance.now()
  #drained: (() => void) | null = null

  constructor(onTargetDrained: () => void) {
    this.#onTargetDrained = onTargetDrained
    this.#sweep = setInterval(() => this.#watch(), SWEEP_MS)
    this.#sweep.unref()
  }

  get gateClosed(): boolean {
    return this.#gate.closed
  }

  /** Connections of clients that are open. */
  get connections(): number {
    return this.#connections.size
  }

  /** Descriptors in use or soon to be: each client may need an instance's connection of its own. */
  get descriptors(): number {
    let count = 2 * this.#connections.size
    for (const target of this.#targets.values()) count += target.idle.length
    return count
  }

  /** Makes `table` the current one: one assignment, then what follows from it. */
  apply(table: RoutingTable): void {
    const known = this.#targets
    const now = performance.now()
    const snapshot = compileTable(table, (target, pool) => this.#targetFor(target, pool))
    this.snapshot = snapshot
    this.#gate.open()

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
    this.#gate.release()
    this.hold.releaseInOrder()
  }

  /** First level of a commit over several workers: from here on arriving requests wait, until `commit` or `abort`. */
  prepare(table: RoutingTable): void {
    this.#gate.close(table)
  }

  /** Second level: what was prepared becomes current and what waited goes on. Answers for how long it had to, in milliseconds. */
  commit(): number {
    const heldMs = this.#gate.closedMs(performance.now())
    const table = this.#gate.open()
    if (table !== null) this.apply(table)
    return heldMs
  }

  /** Instead of the second level: the table stays, and what waited goes on by it. */
  abort(): void {
    this.#gate.open()
    this.#gate.release()
    this.hold.releaseInOrder()
  }

  /** Nobody will ever say `commit` or `abort`: what waits and what comes is answered 503. Nothing while the gate is open. */
  shut(): void {
    if (!this.#gate.closed) return
    this.snapshot = leadingNowhere(this.snapshot, 'the proxy is being replaced')
    this.abort()
  }

  /** Serves an accepted connection of the listener at `address`. */
  accept(address: string, socket: Socket): void {
    if (this.snapshot.sites.get(address)?.protocol === 'tcp') {
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
    this.#gate.wait(waiting)
  }

  leaveGate(waiting: GateWaiter): void {
    this.#gate.leave(waiting)
  }

  onReleased(target: TargetState): void {
    this.inFlightChanged = true
    if (target.inFlight === 0 && target.state !== 'in') this.#onTargetDrained()
  }

  onConnectionClosed(connection: ClientConnection): void {
    this.#forget(connection)
  }

  // Private

  #forget(connection: ClientConnection | TcpConnection): void {
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
    state.state = target.state
    if (target.state === 'in') endDrain(state)
    else beginDrain(state, now, target.drainMs ?? pool.drainTimeoutMs)
  }

  #closeIdle(): void {
    for (const connection of this.#connections) if (connection instanceof ClientConnection) connection.closeIfIdle()
  }

  #watch(): void {
    const now = performance.now()
    const last = this.#lastSweep
    const stalled = now - last > STALL_MS
    this.#lastSweep = now
    // Answers may be waiting to be read: look again at the next sweep.
    if (stalled) return
    for (const target of this.#targets.values()) {
      retireStale(target, now)
      drainAt(target, now, last)
    }
    const { limits } = this.snapshot
    if (this.#gate.closedMs(now) >= limits.holdTimeoutMs) this.#gate.expire()
    this.hold.expireAt(now, limits)
    this.hold.probeAt(now)
    for (const connection of this.#connections) connection.watch(now)
    if (this.#stopping) this.#closeIdle()
  }
}
