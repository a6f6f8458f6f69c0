import type { Socket } from 'node:net'
import { chooseTarget } from '../balancing/choose.ts'
import type { ByteHandler, ByteStream } from '../connections/byte-stream.ts'
import { SocketStream } from '../connections/socket-stream.ts'
import type { Held } from '../hold/hold-queue.ts'
import { Account, type Outcome } from '../ledger/account.ts'
import type { InFlight, TargetState } from '../routing/target.ts'
import { Tunnel } from '../tunnel/tunnel.ts'
import type { GateWaiter, Plane } from './plane.ts'

const KEPT = 64 * 1024

/** A connection to a tcp endpoint: chosen for and counted as one request is, then a tunnel until either side ends it. */
export class TcpConnection implements ByteHandler, InFlight, Held, GateWaiter {
  readonly stream: ByteStream
  readonly address: string
  heldSince = 0
  readonly heldBytes = KEPT
  readonly #plane: Plane
  readonly #onClosed: (connection: TcpConnection) => void
  #early: Buffer[] = []
  #earlyBytes = 0
  #halfClosed = false
  readonly #account: Account
  #target: TargetState | null = null
  #over = false
  #tried = new Set<TargetState>()
  #upstream: SocketStream | null = null
  #dialledAt = Infinity
  #tunnel: Tunnel | null = null

  constructor(plane: Plane, address: string, accepted: Socket, onClosed: (connection: TcpConnection) => void) {
    this.#plane = plane
    this.address = address
    this.#onClosed = onClosed
    this.#account = new Account(plane.ledger)
    this.stream = SocketStream.accepted(accepted, this)
  }

  get isIdle(): boolean {
    return false
  }

  /** Chooses and counts in one step from the current table. */
  choose(): void {
    if (this.#plane.gateClosed) {
      this.#plane.waitAtGate(this)
      return
    }
    const { snapshot } = this.#plane
    const route = snapshot.sites.get(this.address)?.first
    if (route !== undefined) this.#account.vip = route.listener.key
    const pool = route?.pool ?? null
    const now = performance.now()
    const target = pool === null ? null : chooseTarget(pool.ready, this.#tried, now)
    if (target !== null && !this.#tried.has(target)) {
      this.#plane.hold.remove(this)
      this.#dial(target, now)
      return
    }
    this.#arrive(null)
    if (pool === null) this.#end('refused')
    else if (!pool.pool.expecting) this.#end(target === null ? 'no-instance' : 'connect-failed')
    else {
      this.#tried.clear()
      if (this.heldSince === 0) {
        this.heldSince = now
        this.#account.held()
      }
      if (!this.#plane.hold.add(this, pool, snapshot.limits)) this.#end('hold-full')
    }
  }

  tryAgain(): void {
    this.choose()
  }

  onGateOpen(): void {
    this.choose()
  }

  expire(): void {
    this.#end('hold-expired')
  }

  endOrderly(): void {
    this.#tunnel?.endOrderly()
  }

  cut(cause: 'drain-deadline' | 'upstream-closed'): void {
    if (this.#tunnel !== null) this.#tunnel.cut(cause)
    else this.#end(cause)
  }

  watch(now: number): void {
    this.#tunnel?.watch(now, this.#plane.snapshot.limits.idleTimeoutMs)
    if (now - this.#dialledAt > this.#plane.snapshot.limits.connectTimeoutMs) this.#upstream?.destroy()
  }

  destroy(): void {
    this.stream.destroy()
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#early.push(Buffer.from(bytes.subarray(start, end)))
    this.#earlyBytes += end - start
    if (this.#earlyBytes >= KEPT) this.stream.pause()
  }

  onEnd(): void {
    this.#halfClosed = true
  }

  onDrain(): void {
    // Nothing is written before the tunnel.
  }

  onClose(): void {
    this.#end('client-gone')
  }

  #dial(target: TargetState, now: number): void {
    target.inFlight++
    target.open.add(this)
    this.#target = target
    this.#arrive(target)
    if (this.heldSince > 0) this.#account.heldFor(now - this.heldSince)
    this.#dialledAt = now
    this.#upstream = SocketStream.dial(target.host, target.port, NOT_YET, {
      onOpen: () => this.#open(),
      onFail: () => this.#dialFailed(target),
    })
  }

  #open(): void {
    const upstream = this.#upstream
    if (upstream === null) return
    this.#dialledAt = Infinity
    // Whoever waits for this instance may follow.
    if (this.#target !== null) this.#target.suspectUntil = 0
    if (this.#over) {
      upstream.destroy()
      return
    }
    this.#tunnel = new Tunnel(this.stream, upstream, false, outcome => this.#end(outcome))
    this.#tunnel.start()
    for (const bytes of this.#early) this.#tunnel.fromClient(bytes, 0, bytes.length)
    this.#early = []
    if (this.#halfClosed) this.#tunnel.clientEnded()
  }

  #dialFailed(target: TargetState): void {
    this.#dialledAt = Infinity
    this.#upstream = null
    if (this.#over) return
    target.suspectUntil = performance.now() + 1000
    this.#tried.add(target)
    const pool = this.#plane.snapshot.sites.get(this.address)?.first.pool
    const untried = pool?.ready.some(other => !this.#tried.has(other)) ?? false
    // Waiting costs nobody anything; another instance does.
    if (untried && !this.#plane.budget.take(performance.now())) {
      this.#end('connect-failed')
      return
    }
    this.#account.replayed()
    this.#release()
    this.choose()
  }

  #arrive(target: TargetState | null): void {
    if (this.#account.chosen(target)) this.#plane.budget.onRequest()
  }

  #release(): void {
    const target = this.#target
    if (target === null) return
    this.#target = null
    target.open.delete(this)
    target.inFlight--
    this.#plane.onReleased(target)
  }

  #end(outcome: Outcome): void {
    if (this.#over) return
    this.#over = true
    this.#plane.hold.remove(this)
    this.#plane.leaveGate(this)
    this.#account.ended(outcome)
    if (this.#tunnel === null) {
      this.#upstream?.destroy()
      if (outcome !== 'client-gone') this.stream.reset()
    }
    this.#release()
    this.#onClosed(this)
  }
}

/** An instance that is dialled sends nothing before the tunnel's handlers are in place. */
const NOT_YET: ByteHandler = { onBytes: nothing, onEnd: nothing, onDrain: nothing, onClose: nothing }

function nothing(): void {
  // See NOT_YET.
}
