import type { Socket } from 'node:net'
import type { Revision } from '../../src/contracts/revision.ts'
import { DEFAULT_LIMITS, type Listener, type Pool, type RoutingTable } from '../../src/contracts/routing.ts'
import type { AccessLog } from '../access-log/access-log.ts'
import { SwitchedLog, type AccessLogPlace } from '../access-log/switched-log.ts'
import { shareOf } from '../balancing/share.ts'
import type { ByteStream } from '../connections/byte-stream.ts'
import type { Peer } from '../connections/peer.ts'
import type { TcpHandle } from '../connections/tcp-handle.ts'
import { ClientConnection } from '../front/client-connection.ts'
import type { GateWaiter, Plane } from '../front/plane.ts'
import { TcpConnection } from '../front/tcp-connection.ts'
import { HoldQueue } from '../hold/hold-queue.ts'
import { PauseLine } from '../hold/pause-line.ts'
import { Http2Connection } from '../http2/http2-connection.ts'
import type { Doors, OpenConnection } from '../intake/doors.ts'
import { Intake } from '../intake/intake.ts'
import { Ledger, type LedgerNews } from '../ledger/ledger.ts'
import { NamedRows } from '../ledger/named-rows.ts'
import { PlaneMetrics } from '../metrics/plane-metrics.ts'
import { reportPools } from '../metrics/pool-metrics.ts'
import { IdleCount } from '../routing/idle-list.ts'
import { PoolState, type PoolReport } from '../routing/pool-state.ts'
import { compileTable, leadingNowhere, type Snapshot } from '../routing/snapshot.ts'
import { drainAt } from '../routing/drain.ts'
import type { TargetState } from '../routing/target.ts'
import { TunnelCounts } from '../tunnel/tunnel-counts.ts'
import { Connections, type Mover } from './connections.ts'
import { Gate } from './gate.ts'
import { Sweep } from './sweep.ts'

/** For connections that were cut to be told closed. */
const CLOSED_MS = 1000

const NOTHING: Snapshot = {
  revision: { term: 0, n: 0 },
  limits: DEFAULT_LIMITS,
  sites: new Map(),
  pools: new Map(),
  trusted: null,
  tlsSites: [],
}

/** What a data plane reports. */
export interface PlaneStatus {
  readonly revision: Revision
  readonly inFlight: Readonly<Record<string, number>>
}

/** One worker's whole data plane: the current table, the connections, what is held, what is counted. */
export class DataPlane implements Plane, Doors {
  snapshot: Snapshot = NOTHING
  readonly ledger = new Ledger()
  readonly metrics = new PlaneMetrics()
  readonly hold: HoldQueue
  readonly tunnels = new TunnelCounts()
  readonly intake = new Intake(this)
  /** In-flight counts changed since this was last set to false. */
  inFlightChanged = false
  readonly #pools = new Map<string, PoolState>()
  /** By listener. */
  readonly #pauses = new Map<string, PauseLine>()
  readonly #connections = new Connections()
  /** Idle connections to instances. */
  readonly #idle = new IdleCount()
  /** Requests on connections speaking HTTP/2. */
  #streams = 0
  readonly #gate = new Gate()
  readonly #onTargetDrained: () => void
  readonly #workers: number
  readonly #sweep: Sweep
  #named = new NamedRows({ listeners: [], pools: {} })
  readonly #log: SwitchedLog
  #stopping = false
  #successor: Mover | null = null

  /**
   * `workers`: how many data planes there are of this proxy, which keep the bounds of a table together. `accessLogTo`: where
   * lines go when a table wants them; null: nowhere.
   */
  constructor(onTargetDrained: () => void, workers = 1, accessLogTo: AccessLogPlace | null = null) {
    this.#onTargetDrained = onTargetDrained
    this.#workers = workers
    this.hold = new HoldQueue(this.#pools, this.#pauses)
    this.#log = new SwitchedLog(accessLogTo)
    this.metrics.report('tunnels', () => this.tunnels.open)
    this.metrics.report('tunnelBytesReceived', () => this.tunnels.toInstance)
    this.metrics.report('tunnelBytesSent', () => this.tunnels.toClient)
    this.metrics.report('connections', () => this.#connections.size)
    this.metrics.report('heldRequests', () => this.hold.size)
    this.metrics.report('upstreamIdle', () => this.#idle.value)
    this.metrics.report('accessLogDropped', () => this.#log.dropped)
    this.metrics.report('intakeFailures', () => this.intake.failures.counts)
    reportPools(this.metrics, () => this.pools())
    this.#sweep = new Sweep((now, last) => this.#look(now, last))
  }

  get accessLog(): AccessLog | null {
    return this.#log.current
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
    return 2 * this.#connections.size + this.#streams + this.#idle.value
  }

  /** Makes `table` the current one: one assignment, then what follows from it. */
  apply(table: RoutingTable): void {
    const now = performance.now()
    const wall = Date.now()
    const snapshot = compileTable(
      table,
      pool => this.#poolFor(pool),
      listener => this.#pauseFor(listener, now, wall),
    )
    this.snapshot = snapshot
    this.#named = new NamedRows(table)
    this.#gate.open()
    this.#log.switchTo(table.limits.accessLog)

    for (const compiled of snapshot.pools.values()) compiled.state.follow(compiled, now)
    for (const [key, state] of this.#pools) {
      const named = new Set(table.pools[key]?.targets.map(target => target.key))
      for (const target of state.targets.values()) if (!named.has(target.key)) this.#forgetTarget(target)
    }
    this.intake.terminators.keepOnly(snapshot.tlsSites)
    // Who was held before the gate was closed comes first.
    this.hold.releaseInOrder()
    this.#gate.release()
    for (const key of this.#pools.keys()) if (!snapshot.pools.has(key)) this.#pools.delete(key)
    const paused = new Set(table.listeners.flatMap(({ key, paused: pause }) => (pause == null ? [] : [key])))
    for (const key of this.#pauses.keys()) if (!paused.has(key)) this.#pauses.delete(key)
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
    this.hold.releaseInOrder()
    this.#gate.release()
  }

  /** Nobody will ever say `commit` or `abort`: what waits and what comes is answered 503. Nothing while the gate is open. */
  shut(): void {
    if (!this.#gate.closed) return
    this.snapshot = leadingNowhere(this.snapshot, 'the proxy is being replaced')
    this.abort()
  }

  /** Serves an accepted connection of the listener at `address`. */
  accept(address: string, accepted: TcpHandle | Socket): void {
    this.intake.accept(address, accepted)
  }

  status(): PlaneStatus {
    const inFlight: Record<string, number> = {}
    // One instance has a target in each of its endpoints' pools.
    for (const { key, inFlight: count } of this.#targets()) if (count > 0) inFlight[key] = (inFlight[key] ?? 0) + count
    return { revision: this.snapshot.revision, inFlight }
  }

  /** What was counted since this was last asked. */
  ledgerNews(): LedgerNews {
    return this.ledger.tell(this.#named)
  }

  /** Counts and gauges of every pool. */
  pools(): PoolReport[] {
    return Array.from(this.#pools.values(), pool => pool.report())
  }

  /** Resolves when nothing is being served any more, or after `deadlineMs`, when the rest is cut. */
  async close(deadlineMs: number): Promise<void> {
    this.#stopping = true
    this.#connections.closeIdle()
    await this.#connections.none(deadlineMs)
    this.#connections.destroy()
    // Their ends are counted, and logged, once they are closed.
    await this.#connections.none(CLOSED_MS)
    for (const target of this.#targets()) target.idle.retireAll()
    this.#sweep.stop()
    await this.#log.close()
  }

  /**
   * Another process serves from now on: what stands between two requests is given to it, and what is left may take
   * `deadlineMs`. Resolves when nothing is, or after that.
   */
  async leave(successor: Mover, deadlineMs: number): Promise<void> {
    this.#successor = successor
    const none = this.#connections.none(deadlineMs)
    void this.#connections.leave(successor, () => !this.#stopping)
    await none
  }

  /** Ends what can be ended in good order: tunnels, streams of events. */
  endInOrder(): void {
    for (const target of this.#targets()) for (const open of target.open.all()) open.endOrderly()
  }

  /** Serves a connection that another process gave away between two requests. */
  take(address: string, handle: TcpHandle): void {
    this.intake.take(address, handle)
  }

  // Doors

  serveHttp1(address: string, peer: Peer, stream: ByteStream): void {
    this.add(new ClientConnection(this, this, address, peer, stream))
  }

  serveHttp2(address: string, peer: Peer, socket: Socket): void {
    this.add(new Http2Connection(this, this, address, socket, peer))
  }

  serveTcp(address: string, peer: Peer, stream: ByteStream): void {
    const now = performance.now()
    const connection = new TcpConnection(this, this, address, peer, stream, now)
    this.add(connection)
    connection.choose(now)
  }

  add(connection: OpenConnection): void {
    this.#connections.add(connection)
  }

  remove(connection: OpenConnection): void {
    this.#connections.remove(connection)
  }

  // Plane

  isClosing(address: string): boolean {
    return this.#stopping || !this.snapshot.sites.has(address)
  }

  get isLeaving(): boolean {
    return this.#successor !== null
  }

  waitAtGate(waiting: GateWaiter, maxCount: number, maxBytes: number): boolean {
    return this.#gate.wait(waiting, maxCount, maxBytes)
  }

  growAtGate(waiting: GateWaiter, bytes: number, maxBytes: number): boolean {
    return this.#gate.grow(waiting, bytes, maxBytes)
  }

  leaveGate(waiting: GateWaiter): void {
    this.#gate.leave(waiting)
  }

  onReleased(target: TargetState): void {
    this.inFlightChanged = true
    if (target.inFlight === 0 && target.state !== 'in') this.#onTargetDrained()
    this.onRoom(target)
  }

  onRoom({ pool }: TargetState): void {
    if (pool.line.count > 0 && !this.gateClosed) this.hold.letGo(pool)
  }

  shareOf(bound: number): number {
    return shareOf(bound, this.#workers)
  }

  stoodStill(now: number): boolean {
    return this.#sweep.stoodStill(now)
  }

  // Http1Owner

  move(connection: ClientConnection, handle: TcpHandle): void {
    this.remove(connection)
    this.#successor?.give(connection.address, handle)
  }

  // Http2Owner

  onStreams(by: 1 | -1): void {
    this.#streams += by
  }

  // Private

  *#targets(): Iterable<TargetState> {
    for (const pool of this.#pools.values()) yield* pool.targets.values()
  }

  #poolFor(pool: Pool): PoolState {
    let state = this.#pools.get(pool.key)
    if (state === undefined) {
      state = new PoolState(pool, this.#workers, this.#idle)
      this.#pools.set(pool.key, state)
    }
    return state
  }

  #pauseFor(listener: Listener, now: number, wall: number): PauseLine | null {
    const { key, paused } = listener
    if (paused == null) return null
    let line = this.#pauses.get(key)
    if (line === undefined) {
      line = new PauseLine()
      this.#pauses.set(key, line)
    }
    // The table may come from disk, or again to a new worker: then the wall clock knows better.
    line.until = now + Math.min(paused.leftMs, Math.max(0, paused.until - wall))
    return line
  }

  /** No table names it any more. */
  #forgetTarget(target: TargetState): void {
    target.pool.targets.delete(target.key)
    const cause = target.state === 'draining' ? 'drain-deadline' : 'upstream-closed'
    target.state = 'gone'
    target.idle.retireAll()
    for (const open of target.open.all()) open.cut(cause)
  }

  #look(now: number, last: number): void {
    for (const target of this.#targets()) {
      target.idle.retireStale(now)
      drainAt(target, now, last)
    }
    const { limits } = this.snapshot
    if (this.#gate.closedMs(now) >= limits.holdTimeoutMs) this.#gate.expire()
    this.hold.expireAt(now, limits)
    if (!this.gateClosed) this.hold.tryAgain()
    for (const pool of this.#pools.values()) pool.budget.turn(now)
    this.#connections.watch(now)
    if (this.#stopping) this.#connections.closeIdle()
  }
}
