import { chooseTarget } from '../balancing/choose.ts'
import type { Held } from '../hold/hold-queue.ts'
import { requestHeadText, switchHeadText, type Origin } from '../http1/forwarded-head.ts'
import type { OwnAnswer } from '../http1/own-answer.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import { Account, type Outcome } from '../ledger/account.ts'
import { isTrusted, routeFor, type CompiledPool, type Route } from '../routing/snapshot.ts'
import type { InFlight, TargetState } from '../routing/target.ts'
import { Tunnel } from '../tunnel/tunnel.ts'
import type { AnswerSink, UpstreamFailure } from '../upstream/answer-sink.ts'
import { takeIdle, UpstreamConnection } from '../upstream/upstream-connection.ts'
import { AnswerWriter } from './answer-writer.ts'
import type { Caller } from './caller.ts'
import type { GateWaiter, Plane } from './plane.ts'
import { RequestBody } from './request-body.ts'

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** One request from its head to the end of its answer: chosen, perhaps held or replayed, sent, answered, counted. */
export class Exchange implements AnswerSink, InFlight, Held, GateWaiter {
  readonly head: RequestHead
  readonly body: RequestBody
  heldSince = 0
  readonly #plane: Plane
  readonly #caller: Caller
  #state: 'waiting' | 'dialling' | 'sent' | 'answering' | 'tunnel' | 'ended' = 'waiting'
  #route: Route | null = null
  #target: TargetState | null = null
  readonly #account: Account
  readonly #answer: AnswerWriter
  #upstream: UpstreamConnection | null = null
  #tunnel: Tunnel | null = null
  #heldBytes = 0
  #tried: Set<TargetState> | null = null
  /** Something of the request was written to the present instance. */
  #sent = false
  #resent = false
  /** When the present phase began, or its last byte moved. */
  #since = 0

  constructor(plane: Plane, caller: Caller, head: RequestHead) {
    this.#plane = plane
    this.#caller = caller
    this.head = head
    this.body = new RequestBody(caller.stream)
    this.#account = new Account(plane.ledger)
    this.#answer = new AnswerWriter(caller, head)
  }

  get method(): string {
    return this.head.method
  }

  get maxHeadBytes(): number {
    return this.#plane.snapshot.limits.maxHeadBytes
  }

  get mayUpgrade(): boolean {
    return this.head.upgrade !== null
  }

  get wantsPayloadOnly(): boolean {
    return this.head.http10
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Picks an instance from the table now current and counts the request on it, in one synchronous step. */
  choose(): void {
    if (this.#plane.gateClosed) {
      // Also a replayed one: bytes of its body are kept, and no clock of the last try runs on.
      this.#state = 'waiting'
      this.#plane.waitAtGate(this)
      return
    }
    const { snapshot } = this.#plane
    const site = snapshot.sites.get(this.#caller.address)
    const route = site === undefined ? null : routeFor(site, this.head.hostName)
    if (route === null) {
      if (site !== undefined) this.#account.vip = site.first.listener.key
      this.#arrive(null)
      const detail =
        site === undefined ? 'this address is served no more' : `no service here is called ${this.head.hostName}`
      this.#answerOwn('refused', { status: site === undefined ? 503 : 421, error: 'destination_not_found', detail })
      return
    }
    this.#route = route
    this.#account.vip = route.listener.key
    const now = performance.now()
    const target = route.pool === null ? null : chooseTarget(route.pool.ready, this.#tried, now)
    if (target === null) {
      this.#nothingReady(route, now)
      return
    }
    this.#plane.hold.remove(this)
    if (this.heldSince > 0) this.#account.heldFor(now - this.heldSince)
    target.inFlight++
    target.open.add(this)
    this.#target = target
    this.#arrive(target)
    const idle = this.#tried === null ? takeIdle(target, now) : null
    this.#since = now
    if (idle === null) {
      this.#state = 'dialling'
      this.#upstream = new UpstreamConnection(target, this)
    } else {
      this.#upstream = idle
      this.#send(idle)
    }
  }

  // Held

  tryAgain(): void {
    this.choose()
  }

  onGateOpen(): void {
    this.choose()
  }

  expire(): void {
    this.#account.heldFor(performance.now() - this.heldSince)
    const detail = 'nothing became ready in time'
    this.#answerOwn('hold-expired', { status: 503, error: 'destination_unavailable', detail })
  }

  // InFlight

  endOrderly(): void {
    this.#tunnel?.endOrderly()
  }

  cut(cause: 'drain-deadline' | 'upstream-closed'): void {
    if (this.#tunnel !== null) {
      this.#tunnel.cut(cause)
      return
    }
    this.onUpstreamFailure({ cause, error: 'connection_terminated', detail: 'the instance was stopped' }, false)
  }

  /** The client is gone: the instance need not go on. */
  clientGone(): void {
    if (this.#state === 'ended') return
    this.#upstream?.abort()
    this.#end('client-gone')
  }

  /** The request's own framing broke in the middle of its body. */
  refuse(answer: OwnAnswer): void {
    if (this.#state === 'ended') return
    // Before a choice nobody knows whose it is.
    if (this.#account.vip === '') {
      const site = this.#plane.snapshot.sites.get(this.#caller.address)
      if (site !== undefined) this.#account.vip = site.first.listener.key
    }
    this.#answerOwn('refused', answer)
  }

  /** More of the request's body. */
  onRequestBytes(bytes: Buffer, start: number, end: number): void {
    this.#since = performance.now()
    if (this.#state === 'answering' || this.#state === 'sent') {
      this.body.write(bytes, start, end, this.#upstream?.stream ?? null)
    } else {
      this.body.queue(bytes, start, end)
      if (this.heldSince > 0 && this.#state === 'waiting') {
        this.#heldBytes += end - start
        if (!this.#plane.hold.grow(this, end - start, this.#plane.snapshot.limits)) this.#caller.stream.pause()
      }
    }
  }

  /** The client took what was written to it. */
  onClientDrain(): void {
    this.#since = performance.now()
    this.#upstream?.stream.resume()
  }

  /** Ends what takes too long. `now` is monotonic. */
  watch(now: number): void {
    const limits = this.#plane.snapshot.limits
    const waited = now - this.#since
    switch (this.#state) {
      case 'dialling':
        if (waited > limits.connectTimeoutMs) {
          this.#upstream?.abort()
          this.onConnectFailed(new Error('timed out'))
        }
        break
      case 'sent':
        if (this.body.complete) {
          if (waited > limits.responseTimeoutMs) this.#timeout('the instance did not answer in time')
        } else if (waited > limits.idleTimeoutMs) {
          if (this.body.blocked) this.#timeout('the instance did not take the request in time')
          else
            this.#answerOwn('refused', { status: 408, error: 'http_request_error', detail: 'the body stopped coming' })
        }
        break
      case 'answering':
        if (waited > limits.idleTimeoutMs) {
          this.#upstream?.abort()
          this.#end(this.#caller.stream.pending > 0 ? 'client-gone' : 'timeout')
          this.#caller.cut()
        }
        break
      case 'tunnel':
        this.#tunnel?.watch(now, limits.idleTimeoutMs)
        break
      case 'waiting':
      case 'ended':
    }
  }

  // AnswerSink

  onConnected(): void {
    // Whoever waits for this instance may follow.
    if (this.#target !== null) this.#target.suspectUntil = 0
    if (this.#upstream !== null) this.#send(this.#upstream)
  }

  onConnectFailed(error: Error): void {
    if (this.#target === null || this.#state === 'ended') return
    this.#target.suspectUntil = performance.now() + 1000
    const detail = 'no connection to the instance could be made'
    const reason = error.message.includes('timed out') ? 'connection_timeout' : 'connection_refused'
    this.onUpstreamFailure({ cause: 'connect-failed', error: reason, detail })
  }

  onInterim(head: ResponseHead): void {
    this.#answer.interim(head)
  }

  onAnswer(head: ResponseHead, bytes: Buffer, start: number, end: number, payload: readonly number[] | null): void {
    this.#state = 'answering'
    this.#since = performance.now()
    // An answer before its request is whole is the last on this connection.
    const last = !this.body.complete || this.#caller.halfClosed || this.#plane.isClosing(this.#caller.address)
    const exposed = this.#plane.snapshot.limits.exposeInstance ? this.#target : null
    const text = this.#answer.head(head, { last, exposed })
    this.#answer.first(text, this.#upstream?.stream ?? null, bytes, start, end, payload)
    this.#pauseIfBehind()
  }

  onBody(bytes: Buffer, start: number, end: number, payload: readonly number[] | null): void {
    this.#since = performance.now()
    this.#answer.body(this.#upstream?.stream ?? null, bytes, start, end, payload)
    this.#pauseIfBehind()
  }

  onAnswerEnd(reusable: boolean): void {
    const upstream = this.#upstream
    this.#upstream = null
    if (upstream !== null) {
      upstream.stream.useSharedBuffer(this.#caller.stream.pending > 0)
      if (reusable && this.body.complete && upstream.stream.pending === 0) upstream.release(performance.now())
      else upstream.abort()
    }
    this.#end('answered')
    this.#caller.answered(this.#answer.close)
  }

  onSwitch(head: ResponseHead, bytes: Buffer, start: number, end: number): void {
    const upstream = this.#upstream
    if (upstream === null) return
    this.#upstream = null
    if (head.upgrade === null || head.upgrade !== this.head.upgrade?.toLowerCase()) {
      upstream.abort()
      this.#answerOwn('bad-response', {
        status: 502,
        error: 'http_protocol_error',
        detail: 'another protocol was offered',
      })
      return
    }
    this.#state = 'tunnel'
    this.#caller.stream.write(switchHeadText(head))
    const tunnel = new Tunnel(this.#caller.stream, upstream.stream, head.upgrade === 'websocket', outcome => {
      this.#end(outcome)
      this.#caller.tunnelEnded()
    })
    this.#tunnel = tunnel
    const early = this.#caller.tunnelStarted()
    tunnel.start()
    if (end > start) tunnel.fromInstance(bytes, start, end)
    if (early !== null) tunnel.fromClient(early, 0, early.length)
    if (this.#caller.halfClosed) tunnel.clientEnded()
  }

  onUpstreamDrain(): void {
    this.#since = performance.now()
    this.body.onDrain()
  }

  onUpstreamFailure(failure: UpstreamFailure, mayReplay = true): void {
    if (this.#state === 'ended') return
    this.#upstream?.abort()
    this.#upstream = null
    if (this.#state === 'answering') {
      this.#end(failure.cause)
      this.#caller.cut()
      return
    }
    if (mayReplay && this.#replay(failure)) return
    const status = failure.cause === 'drain-deadline' ? 503 : 502
    this.#answerOwn(failure.cause, { status, error: failure.error, detail: failure.detail })
  }

  // Private

  #send(upstream: UpstreamConnection): void {
    const origin: Origin = {
      clientAddress: this.#caller.stream.remoteAddress,
      trusted: isTrusted(this.#plane.snapshot.trusted, this.#caller.stream.remoteAddress),
      localHost: this.#caller.localHost,
    }
    this.#state = 'sent'
    this.#sent = true
    this.#since = performance.now()
    upstream.begin(this, requestHeadText(this.head, origin) + this.body.initial)
    this.body.flush(upstream.stream)
  }

  /**
   * Sends the request to another instance (or by a fresh connection), if it was provably not processed: nothing of it was
   * sent, or its method is idempotent, all of it is still here and no byte of an answer has gone out.
   */
  #replay(failure: UpstreamFailure): boolean {
    const target = this.#target
    if (target === null) return false
    if (this.#sent && (!IDEMPOTENT.has(this.head.method) || !this.body.replayable)) return false
    if (this.#sent && failure.cause === 'bad-response') return false
    const tried = (this.#tried ??= new Set())
    const pool = this.#route?.pool
    tried.add(target)
    if (failure.cause === 'connect-failed') {
      const untried = pool?.ready.some(other => !tried.has(other)) ?? false
      // All instances refused: wait until one takes connections again if something is expected to become ready.
      if (!untried) {
        if (pool == null || !pool.pool.expecting) return false
        this.#account.replayed()
        this.#releaseTarget()
        tried.clear()
        this.#hold(pool, performance.now())
        return true
      }
    } else if (this.#resent) return false
    if (!this.#plane.budget.take(performance.now())) return false
    this.#account.replayed()
    this.#releaseTarget()
    if (this.#sent) this.#resent = true
    this.#sent = false
    this.choose()
    return true
  }

  #nothingReady(route: Route, now: number): void {
    this.#arrive(null)
    const reason = route.listener.reason
    if (route.pool === null) {
      const detail = reason ?? 'nothing is deployed here'
      this.#answerOwn('refused', { status: 503, error: 'destination_unavailable', detail })
    } else if (route.pool.pool.expecting) {
      this.#hold(route.pool, now)
    } else {
      const detail = reason ?? 'no instance is ready'
      this.#answerOwn('no-instance', { status: 503, error: 'destination_unavailable', detail })
    }
  }

  #hold(pool: CompiledPool, now: number): void {
    this.#state = 'waiting'
    if (this.heldSince === 0) {
      this.heldSince = now
      this.#heldBytes = this.head.fields.length + this.head.target.length + this.body.size
      this.#account.held()
    }
    if (!this.#plane.hold.add(this, pool, this.#plane.snapshot.limits)) {
      const detail = 'too many requests wait for an instance'
      this.#answerOwn('hold-full', { status: 503, error: 'destination_unavailable', detail })
    }
  }

  #arrive(target: TargetState | null): void {
    if (this.#account.chosen(target)) this.#plane.budget.onRequest()
  }

  #pauseIfBehind(): void {
    if (this.#caller.stream.pending > 0) this.#upstream?.stream.pause()
  }

  #timeout(detail: string): void {
    this.#answerOwn('timeout', { status: 504, error: 'http_response_timeout', detail })
  }

  #answerOwn(outcome: Outcome, answer: OwnAnswer): void {
    this.#upstream?.abort()
    this.#upstream = null
    const answering = this.#state === 'answering'
    this.#end(outcome)
    if (answering) this.#caller.cut()
    else this.#caller.answerOwn(answer)
  }

  #releaseTarget(): void {
    const target = this.#target
    if (target === null) return
    this.#target = null
    target.open.delete(this)
    target.inFlight--
    this.#plane.onReleased(target)
  }

  #end(outcome: Outcome): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#plane.hold.remove(this)
    this.#plane.leaveGate(this)
    this.#account.ended(outcome)
    this.#releaseTarget()
  }
}
