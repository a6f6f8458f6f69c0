import { performance } from 'node:perf_hooks'
import { cookieValue } from '../balancing/affinity-cookie.ts'
import { hashText } from '../balancing/hashing.ts'
import { requestHeadText, requestIdOf } from '../http1/forwarded-request.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { Route } from '../routing/snapshot.ts'
import type { TargetState } from '../routing/target.ts'
import type { TlsSite } from '../tls/tls-site.ts'
import type { AnswerSink, UpstreamFailure } from '../upstream/answer-sink.ts'
import { dialUpstream, takeIdle } from '../upstream/connect.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { isBalancerProbe } from './balancer-probe.ts'
import type { Caller } from './caller.ts'
import { clientAddress } from './client-origin.ts'
import type { Plane } from './plane.ts'
import { mayResend } from './replay.ts'
import { RequestBody } from './request-body.ts'
import { Seeker } from './seeker.ts'

/** Where a request is; `sent` and later: its head was written to the present instance. */
export type ExchangeState = 'waiting' | 'dialling' | 'sent' | 'answering' | 'tunnel' | 'ended'

/** A request's way to its instance: what it asks of one, the connection it is given, what was sent on it, and whether again. */
export abstract class Sender extends Seeker {
  readonly head: RequestHead
  readonly body: RequestBody
  protected readonly caller: Caller
  protected state: ExchangeState = 'waiting'
  protected upstream: Upstream | null = null
  /** When the present state began, or its last byte moved. */
  protected since = 0
  /** What it is called, once it has been sent: kept when it is sent again. */
  protected requestId = ''
  #heldBytes = 0
  /** Something of the request was written to the present instance. */
  #sent = false
  #resent = false
  /** The present instance was given it on a connection that had been idle. */
  #reused = false
  /** The token in its affinity cookie; null: not looked at yet. */
  #wanted: string | null = null

  /** `now`: its head is whole. */
  constructor(plane: Plane, caller: Caller, head: RequestHead, now: number) {
    super(plane, now)
    this.caller = caller
    this.head = head
    this.body = new RequestBody(caller)
  }

  /** Who is told of its answer. */
  protected abstract get sink(): AnswerSink

  get address(): string {
    return this.caller.address
  }

  get hostName(): string {
    return this.head.hostName
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  get bodyBytes(): number {
    return this.head.body === 'length' ? this.head.length : this.body.received
  }

  get clientHash(): number {
    return hashText(clientAddress(this.head, this.caller.peer, this.plane.snapshot.trusted))
  }

  get wanted(): string {
    const cookie = this.route?.cookie ?? null
    return cookie === null ? '' : (this.#wanted ??= cookieValue(this.head.fields, cookie))
  }

  protected get isBalancerProbe(): boolean {
    return isBalancerProbe(this.head, this.plane.snapshot.limits)
  }

  /** More of the request's body. */
  onRequestBytes(bytes: Buffer, start: number, end: number): void {
    this.since = performance.now()
    const maxBodyBytes = this.route?.listener.options.maxBodyBytes ?? null
    if (maxBodyBytes !== null && this.body.received > maxBodyBytes) {
      this.refuseBody(maxBodyBytes)
      return
    }
    if (this.state === 'answering' || this.state === 'sent') {
      this.body.write(bytes, start, end, this.upstream)
    } else {
      this.body.queue(bytes, start, end)
      if (this.state === 'waiting') {
        this.#heldBytes += end - start
        if (!this.growHeld(end - start)) this.body.pause()
      }
    }
  }

  onConnected(): void {
    this.connected()
    this.since = performance.now()
    if (this.upstream !== null) this.#send(this.upstream)
  }

  onConnectFailed(error: Error): void {
    if (this.target === null || this.state === 'ended') return
    this.dropUpstream()
    if (this.seekAfterRefusal(error)) return
    const isLate = 'code' in error && error.code === 'ETIMEDOUT'
    const reason = isLate ? 'connection_timeout' : 'connection_refused'
    const detail = 'no connection to the instance could be made'
    this.onRefused('connect-failed', { status: 502, error: reason, detail })
  }

  onUpstreamDrain(): void {
    this.since = performance.now()
    this.body.onDrain()
  }

  // Seeker

  protected misdirected(site: TlsSite, route: Route): boolean {
    const { tls } = this.caller.peer
    return tls === null || site.misdirects(route.listener, this.hostName, tls.serverName, tls.authScope)
  }

  protected onChosen(target: TargetState, now: number): void {
    const idle = this.tried === null ? takeIdle(target, now) : null
    this.since = now
    this.#reused = idle !== null
    if (idle === null) {
      this.state = 'dialling'
      this.upstream = dialUpstream(target, this.sink)
    } else {
      this.upstream = idle
      this.#send(idle)
    }
  }

  protected onWaiting(): void {
    this.state = 'waiting'
    if (this.heldSince === 0) {
      this.#heldBytes = this.head.fields.length + this.head.target.length + this.body.size
    }
  }

  // For the exchange

  /** Whatever the instance still does for it, nobody waits. */
  protected dropUpstream(): void {
    const { upstream } = this
    this.upstream = null
    upstream?.abort()
  }

  /** An idle connection may be closed at any time: that is no failure. */
  protected isRace(failure: UpstreamFailure): boolean {
    return this.#reused && this.state === 'sent' && failure.cause === 'upstream-closed'
  }

  /** May it go to another instance, or by a fresh connection? Once, if anything of it was sent. */
  protected mayReplay(failure: UpstreamFailure): boolean {
    if (this.target === null || this.#resent) return false
    if (this.#sent) {
      if (!mayResend(this.head.method, this.body, failure)) return false
      this.body.rewind()
      this.#resent = true
      this.#sent = false
      // It was out of the line: should it have to wait again, it may as long as others.
      this.heldSince = 0
    }
    this.tried ??= new Set()
    this.tried.add(this.target)
    return true
  }

  // Private

  /** Its instance can be reached: since `since`. */
  #send(upstream: Upstream): void {
    const { head, body } = this
    const { peer } = this.caller
    const trusted = peer.isTrustedBy(this.plane.snapshot.trusted)
    this.state = 'sent'
    this.#sent = true
    if (this.target?.backend === 'h2c') body.keepSent()
    if (this.requestId === '') this.requestId = requestIdOf(head, trusted)
    const forwarded = this.route?.listener.options.forwarded ?? false
    const text = requestHeadText(head, peer, trusted, forwarded, this.requestId)
    const lent = body.takeLent()
    if (upstream.begin(this.sink, head, text, body.initial, lent)) body.flush(upstream)
    else body.takeBack(lent)
  }
}
