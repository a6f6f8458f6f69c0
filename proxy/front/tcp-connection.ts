import { entryOf, TCP } from '../access-log/request-entry.ts'
import type { ByteHandler, ByteStream } from '../connections/byte-stream.ts'
import { dial } from '../connections/dial.ts'
import type { Peer } from '../connections/peer.ts'
import { hashText } from '../balancing/hashing.ts'
import type { ConnectionOwner } from '../intake/doors.ts'
import type { Outcome } from '../ledger/account.ts'
import type { TargetState } from '../routing/target.ts'
import { Tunnel } from '../tunnel/tunnel.ts'
import type { Plane } from './plane.ts'
import { Seeker } from './seeker.ts'

const KEPT = 64 * 1024

/** A connection to a tcp endpoint: chosen for and counted as one request is, then a tunnel until either side ends it. */
export class TcpConnection extends Seeker implements ByteHandler {
  readonly stream: ByteStream
  readonly address: string
  readonly peer: Peer
  readonly hostName = ''
  readonly bodyBytes = 0
  readonly wanted = ''
  protected readonly isBalancerProbe = false
  #toldToEnd = false
  readonly #owner: ConnectionOwner
  #early: Buffer[] = []
  #earlyBytes = 0
  #halfClosed = false
  #over = false
  #upstream: ByteStream | null = null
  #dialledAt = Infinity
  #tunnel: Tunnel | null = null

  constructor(plane: Plane, owner: ConnectionOwner, address: string, peer: Peer, stream: ByteStream, now: number) {
    super(plane, now)
    this.address = address
    this.peer = peer
    this.#owner = owner
    this.stream = stream
    stream.handler = this
  }

  /** A tunnel is never idle. */
  closeIfIdle(): void {}

  /** Its bytes go through here to their end. */
  leave(): void {}

  get heldBytes(): number {
    return this.#earlyBytes
  }

  get clientHash(): number {
    return hashText(this.peer.address)
  }

  endEarly(): void {
    // Nobody can be told to come back in a protocol that is not known.
  }

  endOrderly(): void {
    this.#toldToEnd = this.#tunnel !== null
    this.#tunnel?.endOrderly()
  }

  cut(cause: 'drain-deadline' | 'upstream-closed'): void {
    if (this.#tunnel !== null) this.#tunnel.cut(cause)
    else if (!this.#seekUndialled()) this.#end(cause)
  }

  watch(now: number): void {
    const { idleTimeoutMs, tunnelIdleTimeoutMs } = this.plane.snapshot.limits
    this.#tunnel?.watch(now, idleTimeoutMs, tunnelIdleTimeoutMs)
    const limit = this.route?.pool?.pool.policy.connectTimeoutMs ?? Infinity
    if (now - this.#dialledAt > limit) this.#upstream?.destroy()
  }

  destroy(): void {
    this.stream.destroy()
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#early.push(Buffer.from(bytes.subarray(start, end)))
    this.#earlyBytes += end - start
    const hasRoom = this.growHeld(end - start)
    if (this.#earlyBytes >= KEPT || !hasRoom) this.stream.pause()
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

  protected misdirected(): boolean {
    return false
  }

  protected onChosen(target: TargetState, now: number): void {
    this.#dialledAt = now
    const upstream = dial(target.host, target.port, NOT_YET, {
      onOpen: () => this.#open(upstream),
      onFail: error => this.#dialFailed(upstream, error),
    })
    this.#upstream = upstream
  }

  protected onWaiting(): void {
    this.#dialledAt = Infinity
  }

  protected onRefused(outcome: Outcome): void {
    this.#end(outcome)
  }

  /** Its instance goes before it was connected: nothing was sent, so any other will do. */
  #seekUndialled(): boolean {
    const { target } = this
    if (this.#over || target === null || !this.hasElsewhere) return false
    const upstream = this.#upstream
    this.#upstream = null
    upstream?.destroy()
    this.tried ??= new Set()
    this.tried.add(target)
    return this.seekElsewhere()
  }

  #open(upstream: ByteStream): void {
    if (this.#over || upstream !== this.#upstream) {
      upstream.destroy()
      return
    }
    this.#dialledAt = Infinity
    this.connected()
    this.#tunnel = new Tunnel(this.stream, upstream, false, this.plane.tunnels, outcome => this.#end(outcome))
    this.answers()
    this.answeredWell()
    this.#tunnel.start()
    for (const bytes of this.#early) this.#tunnel.fromClient(bytes, 0, bytes.length)
    this.#early = []
    if (this.#halfClosed) this.#tunnel.clientEnded()
  }

  #dialFailed(upstream: ByteStream, error: Error): void {
    if (this.#over || upstream !== this.#upstream) return
    this.#dialledAt = Infinity
    this.#upstream = null
    if (!this.seekAfterRefusal(error)) this.#end('connect-failed')
  }

  #end(outcome: Outcome): void {
    if (this.#over) return
    this.#over = true
    if (this.#tunnel === null) {
      this.#upstream?.destroy()
      if (outcome !== 'client-gone') this.stream.reset()
    }
    this.account.bytesIn = this.#tunnel?.bytesFromClient ?? 0
    this.account.bytesOut = this.#tunnel?.bytesToClient ?? 0
    if (this.plane.accessLog !== null) this.#log(outcome)
    this.conclude(outcome)
    this.#owner.remove(this)
  }

  #log(outcome: Outcome): void {
    const { account, route, target } = this
    const phase = this.#tunnel !== null ? 'tunnel' : target === null ? 'waiting' : 'connecting'
    const endedBy = this.#toldToEnd ? 'drain' : (this.#tunnel?.endedBy ?? null)
    const peer = this.peer
    this.plane.accessLog?.write(entryOf(TCP, { account, peer, route, target, outcome, phase, endedBy }))
  }
}

/** An instance that is dialled sends nothing before the tunnel's handlers are in place. */
const NOT_YET: ByteHandler = { onBytes: nothing, onEnd: nothing, onDrain: nothing, onClose: nothing }

function nothing(): void {
  // See NOT_YET.
}
