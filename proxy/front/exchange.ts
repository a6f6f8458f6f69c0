import { constants } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { Phase } from '../access-log/endings.ts'
import { askedBy, entryOf } from '../access-log/request-entry.ts'
import { requestIdOf } from '../http1/forwarded-request.ts'
import { cookieValue } from '../balancing/affinity-cookie.ts'
import { hashText } from '../balancing/hashing.ts'
import { dialError } from '../connections/dial.ts'
import type { OwnAnswer } from '../http1/own-answer.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import type { Outcome } from '../ledger/account.ts'
import type { Route } from '../routing/snapshot.ts'
import type { TargetState } from '../routing/target.ts'
import type { TlsSite } from '../tls/tls-site.ts'
import { Tunnel } from '../tunnel/tunnel.ts'
import type { AnswerSink, UpstreamFailure } from '../upstream/answer-sink.ts'
import { dialUpstream, takeIdle } from '../upstream/connect.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { isBalancerProbe } from './balancer-probe.ts'
import type { Caller } from './caller.ts'
import { clientAddress, clientIsSecure } from './client-origin.ts'
import { EventAnswer } from './event-answer.ts'
import { withOwnFields } from './own-fields.ts'
import type { Plane } from './plane.ts'
import { mayResend } from './replay.ts'
import { RequestBody } from './request-body.ts'
import { Seeker } from './seeker.ts'

const PHASES = {
  waiting: 'waiting',
  dialling: 'connecting',
  sent: 'sending',
  answering: 'answering',
  tunnel: 'tunnel',
} as const satisfies Record<string, Phase>

/** One request from its head to the end of its answer: given an instance, perhaps replayed, sent, answered, counted. */
export class Exchange extends Seeker implements AnswerSink {
  readonly head: RequestHead
  readonly body: RequestBody
  readonly #caller: Caller
  #state: 'waiting' | 'dialling' | 'sent' | 'answering' | 'tunnel' | 'ended' = 'waiting'
  #upstream: Upstream | null = null
  #tunnel: Tunnel | null = null
  /** The drain told the tunnel to end. */
  #toldToEnd = false
  /** What it is called, once it has been sent: kept when it is sent again. */
  #requestId = ''
  #events: EventAnswer | null = null
  #heldBytes = 0
  /** Something of the request was written to the present instance. */
  #sent = false
  #resent = false
  /** The present instance was given it on a connection that had been idle. */
  #reused = false
  /** The token in its affinity cookie; null: not looked at yet. */
  #wanted: string | null = null
  /** When the present phase began, or its last byte moved. */
  #since = 0
  /** What the client (or, before the answer, the instance) had not taken at the last look. */
  #untaken = 0

  /** `now`: its head is whole. */
  constructor(plane: Plane, caller: Caller, head: RequestHead, now: number) {
    super(plane, now)
    this.#caller = caller
    this.head = head
    this.body = new RequestBody(caller)
  }

  get address(): string {
    return this.#caller.address
  }

  get hostName(): string {
    return this.head.hostName
  }

  get method(): string {
    return this.head.method
  }

  get maxHeadBytes(): number {
    return this.plane.snapshot.limits.maxHeadBytes
  }

  get mayUpgrade(): boolean {
    return this.head.upgrade !== null
  }

  get wantsPayloadOnly(): boolean {
    return this.#caller.payloadOnly
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  get bodyBytes(): number {
    return this.head.body === 'length' ? this.head.length : this.body.received
  }

  get clientHash(): number {
    return hashText(clientAddress(this.head, this.#caller.peer, this.plane.snapshot.trusted))
  }

  get wanted(): string {
    const cookie = this.route?.cookie ?? null
    return cookie === null ? '' : (this.#wanted ??= cookieValue(this.head.fields, cookie))
  }

  protected get isBalancerProbe(): boolean {
    return isBalancerProbe(this.head, this.plane.snapshot.limits)
  }

  // InFlight

  endEarly(): void {
    if (this.#tunnel?.endEarly() === true) this.#toldToEnd = true
    if (this.#events?.wantEnd() === true) this.#endEvents()
  }

  endOrderly(): void {
    this.#toldToEnd = this.#tunnel !== null
    this.#tunnel?.endOrderly()
    if (this.#events?.wantEnd() === true) this.#endEvents()
  }

  cut(cause: 'drain-deadline' | 'upstream-closed'): void {
    const failure: UpstreamFailure = { cause, error: 'connection_terminated', detail: 'the instance was stopped' }
    if (this.#tunnel !== null) this.#tunnel.cut(cause)
    else if (this.hasElsewhere) this.onUpstreamFailure(failure)
    else this.#failed(failure)
  }

  // The client

  /** It is gone: the instance need not go on. */
  clientGone(): void {
    if (this.#state === 'ended') return
    this.#upstream?.abort()
    this.#end('client-gone')
  }

  /** The request's own framing broke in the middle of its body. */
  refuse(answer: OwnAnswer): void {
    if (this.#state === 'ended') return
    this.nameVip()
    this.onRefused('refused', answer)
  }

  /** More of the request's body. */
  onRequestBytes(bytes: Buffer, start: number, end: number): void {
    this.#since = performance.now()
    const maxBodyBytes = this.route?.listener.options.maxBodyBytes ?? null
    if (maxBodyBytes !== null && this.body.received > maxBodyBytes) {
      this.refuseBody(maxBodyBytes)
      return
    }
    if (this.#state === 'answering' || this.#state === 'sent') {
      this.body.write(bytes, start, end, this.#upstream)
    } else {
      this.body.queue(bytes, start, end)
      if (this.#state === 'waiting') {
        this.#heldBytes += end - start
        if (!this.growHeld(end - start)) this.body.pause()
      }
    }
  }

  /** The client took what was written to it. */
  onClientDrain(): void {
    this.#since = performance.now()
    this.#upstream?.resume()
  }

  /** A final answer has begun. */
  get isAnswering(): boolean {
    return this.#state === 'answering'
  }

  /** Ends what takes too long. `now` is monotonic. */
  watch(now: number): void {
    const policy = this.route?.pool?.pool.policy
    if (policy === undefined) return
    const untaken = this.#state === 'answering' ? this.#caller.untaken : (this.#upstream?.untaken ?? 0)
    // Slowly, but it is taken.
    if (untaken < this.#untaken) this.#since = now
    this.#untaken = untaken
    const waited = now - this.#since
    switch (this.#state) {
      case 'dialling':
        if (waited > policy.connectTimeoutMs) {
          this.#upstream?.abort()
          this.onConnectFailed(dialError(-constants.errno.ETIMEDOUT))
        }
        break
      case 'sent':
        if (this.body.complete) {
          if (waited > policy.responseTimeoutMs) this.#timeout('the instance did not answer in time')
        } else if (waited > policy.idleTimeoutMs) {
          if (this.body.blocked) this.#timeout('the instance did not take the request in time')
          else
            this.onRefused('refused', { status: 408, error: 'http_request_error', detail: 'the body stopped coming' })
        }
        break
      case 'answering':
        if (this.#events !== null && this.#caller.pending === 0) {
          // Between events silence is no fault.
          if (waited <= this.plane.snapshot.limits.tunnelIdleTimeoutMs) break
          if (this.#events.atBoundary) {
            this.#endEvents()
            break
          }
        }
        if (waited > policy.idleTimeoutMs) {
          if (this.#caller.pending === 0) this.failed()
          this.#upstream?.abort()
          this.#end(this.#caller.pending > 0 ? 'client-gone' : 'timeout')
          this.#caller.cut()
        }
        break
      case 'tunnel':
        this.#tunnel?.watch(now, policy.idleTimeoutMs, this.plane.snapshot.limits.tunnelIdleTimeoutMs)
        break
      case 'waiting':
      case 'ended':
    }
  }

  // AnswerSink

  onConnected(): void {
    this.connected()
    this.#since = performance.now()
    if (this.#upstream !== null) this.#send(this.#upstream)
  }

  onConnectFailed(error: Error): void {
    if (this.target === null || this.#state === 'ended') return
    this.#upstream?.abort()
    this.#upstream = null
    if (this.seekAfterRefusal(error)) return
    const isLate = 'code' in error && error.code === 'ETIMEDOUT'
    const reason = isLate ? 'connection_timeout' : 'connection_refused'
    const detail = 'no connection to the instance could be made'
    this.onRefused('connect-failed', { status: 502, error: reason, detail })
  }

  onInterim(head: ResponseHead): void {
    this.#caller.interim(head)
  }

  onAnswer(
    head: ResponseHead,
    bytes: Buffer,
    start: number,
    end: number,
    payload: readonly number[] | null,
    volatile: boolean,
  ): void {
    this.#state = 'answering'
    const now = performance.now()
    this.#since = now
    this.account.answering(head.status, now)
    this.account.bytesOut = end - start
    this.answers()
    this.body.forgetSent()
    // An answer before its request is whole is the last on this connection.
    const last = !this.body.complete || this.#caller.halfClosed || this.#caller.closing
    this.#caller.answer(this.#asSent(head), last, this.#exposed, bytes, start, end, payload, volatile)
    this.#events = EventAnswer.of(head, this.#caller)
    this.#events?.begun(bytes, start, end, payload)
    this.#pauseIfBehind()
  }

  onBody(bytes: Buffer, start: number, end: number, payload: readonly number[] | null, volatile: boolean): void {
    this.#since = performance.now()
    this.account.bytesOut += end - start
    if (this.#events === null) this.#caller.body(bytes, start, end, payload, volatile)
    else if (this.#events.pass(bytes, start, end, payload, volatile)) {
      this.#endEvents()
      return
    }
    this.#pauseIfBehind()
  }

  onAnswerEnd(reusable: boolean, trailers: string): void {
    const upstream = this.#upstream
    const now = performance.now()
    this.#upstream = null
    if (upstream !== null) {
      if (reusable && this.body.complete && upstream.pending === 0) {
        upstream.release(now, this.#caller.pending > 0)
      } else upstream.abort()
    }
    this.account.answeredWhole(now)
    this.answeredWell()
    this.#end('answered')
    this.#caller.answered(trailers, now)
  }

  onSwitch(head: ResponseHead, bytes: Buffer, start: number, end: number): void {
    const upstream = this.#upstream
    this.#upstream = null
    const stream = upstream?.tunnel() ?? null
    const asked = head.upgrade !== null && head.upgrade === this.head.upgrade?.toLowerCase()
    const client = asked && stream !== null ? this.#caller.becomeTunnel(this.#asSent(head), this.#exposed) : null
    if (stream === null || client === null) {
      upstream?.abort()
      if (!asked) this.failed()
      const detail = 'another protocol was offered'
      this.onRefused('bad-response', { status: 502, error: 'http_protocol_error', detail })
      return
    }
    this.#state = 'tunnel'
    this.account.answering(head.status, performance.now())
    this.answers()
    this.answeredWell()
    const tunnel = new Tunnel(client.stream, stream, head.upgrade === 'websocket', this.plane.tunnels, outcome => {
      this.#end(outcome)
      this.#caller.tunnelEnded()
    })
    this.#tunnel = tunnel
    tunnel.start()
    if (end > start) tunnel.fromInstance(bytes, start, end)
    if (client.early !== null) tunnel.fromClient(client.early, 0, client.early.length)
    if (this.#caller.halfClosed) tunnel.clientEnded()
  }

  onUpstreamDrain(): void {
    this.#since = performance.now()
    this.body.onDrain()
  }

  onUpstreamFailure(failure: UpstreamFailure): void {
    if (this.#state === 'ended') return
    this.#upstream?.abort()
    this.#upstream = null
    // An idle connection may be closed at any time: that is no failure.
    const isRace = this.#reused && this.#state === 'sent' && failure.cause === 'upstream-closed'
    if (!isRace) this.failed()
    if (this.#state !== 'answering' && this.#mayReplay(failure) && this.seekElsewhere()) return
    this.#failed(failure)
  }

  // Seeker

  protected misdirected(site: TlsSite, route: Route): boolean {
    const { tls } = this.#caller.peer
    return tls === null || site.misdirects(route.listener, this.hostName, tls.serverName, tls.authScope)
  }

  protected onChosen(target: TargetState, now: number): void {
    const idle = this.tried === null ? takeIdle(target, now) : null
    this.#since = now
    this.#reused = idle !== null
    if (idle === null) {
      this.#state = 'dialling'
      this.#upstream = dialUpstream(target, this)
    } else {
      this.#upstream = idle
      this.#send(idle)
    }
  }

  protected onWaiting(): void {
    this.#state = 'waiting'
    if (this.heldSince === 0) {
      this.#heldBytes = this.head.fields.length + this.head.target.length + this.body.size
    }
  }

  protected onRefused(outcome: Outcome, answer: OwnAnswer): void {
    this.#upstream?.abort()
    this.#upstream = null
    const answering = this.#state === 'answering'
    if (!answering) this.account.answersItself(answer.status)
    this.#end(outcome)
    if (answering) this.#caller.cut()
    else if (answer.status !== 503) this.#caller.answerOwn(answer)
    else this.#caller.answerOwn({ ...answer, page: this.plane.snapshot.limits.maintenancePage })
  }

  // Private

  /** Its instance can be reached: since `#since`. */
  #send(upstream: Upstream): void {
    const { head, body } = this
    const { peer, forwarding } = this.#caller
    const trusted = peer.isTrustedBy(this.plane.snapshot.trusted)
    this.#state = 'sent'
    this.#sent = true
    if (this.target?.backend === 'h2c') body.keepSent()
    if (this.#requestId === '') this.#requestId = requestIdOf(head, trusted)
    const forwarded = this.route?.listener.options.forwarded ?? false
    const text = forwarding.text(head, trusted, forwarded, this.#requestId)
    const lent = body.takeLent()
    if (upstream.begin(this, head, text, body.initial, lent)) body.flush(upstream)
    else body.takeBack(lent)
  }

  /** May it go to another instance, or by a fresh connection? Once, if anything of it was sent. */
  #mayReplay(failure: UpstreamFailure): boolean {
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

  #failed(failure: UpstreamFailure): void {
    const status = failure.cause === 'drain-deadline' ? 503 : 502
    this.onRefused(failure.cause, { status, error: failure.error, detail: failure.detail })
  }

  /** The instance, where the client is to be told. */
  get #exposed(): TargetState | null {
    return this.plane.snapshot.limits.exposeInstance ? this.target : null
  }

  /** The head as the client gets it. */
  #asSent(head: ResponseHead): ResponseHead {
    const { route, target } = this
    if (route === null || target === null || !route.addsFields) return head
    const secure = clientIsSecure(this.head, this.#caller.peer, this.plane.snapshot.trusted)
    return withOwnFields(head, route, target, { account: this.account, wanted: this.wanted, secure })
  }

  /** The events stop here, between two of them: to the client the answer is whole. */
  #endEvents(): void {
    this.#upstream?.abort()
    this.#upstream = null
    this.#events?.writeEnd()
    const now = performance.now()
    this.account.answeredWhole(now)
    this.answeredWell()
    this.#end('answered')
    this.#caller.answered('', now)
  }

  #pauseIfBehind(): void {
    if (this.#caller.pending > 0) this.#upstream?.pause()
  }

  #timeout(detail: string): void {
    this.failed()
    this.onRefused('timeout', { status: 504, error: 'http_response_timeout', detail })
  }

  #end(outcome: Outcome): void {
    const state = this.#state
    if (state === 'ended') return
    this.#state = 'ended'
    this.account.bytesIn = this.body.octets + (this.#tunnel?.bytesFromClient ?? 0)
    this.account.bytesOut += this.#tunnel?.bytesToClient ?? 0
    if (this.plane.accessLog !== null) this.#log(outcome, PHASES[state])
    this.conclude(outcome)
  }

  #log(outcome: Outcome, phase: Phase): void {
    const { account, route, target, head } = this
    const { peer, payloadOnly } = this.#caller
    const asked = askedBy(head, {
      payloadOnly,
      trusted: peer.isTrustedBy(this.plane.snapshot.trusted),
      requestId: this.#requestId,
    })
    const endedBy = this.#toldToEnd ? 'drain' : (this.#tunnel?.endedBy ?? null)
    this.plane.accessLog?.write(entryOf(asked, { account, peer, route, target, outcome, phase, endedBy }))
  }
}
