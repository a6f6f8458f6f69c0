import { constants } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { Phase } from '../access-log/endings.ts'
import { askedBy, entryOf } from '../access-log/request-entry.ts'
import { dialError } from '../connections/dial.ts'
import type { OwnAnswer } from '../http1/own-answer.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import type { Outcome } from '../ledger/account.ts'
import type { TargetState } from '../routing/target.ts'
import { Tunnel } from '../tunnel/tunnel.ts'
import type { AnswerSink, UpstreamFailure } from '../upstream/answer-sink.ts'
import { clientIsSecure } from './client-origin.ts'
import { overdue, type Overdue } from './deadlines.ts'
import { EventAnswer } from './event-answer.ts'
import { withOwnFields } from './own-fields.ts'
import { Sender, type ExchangeState } from './sender.ts'

/** One request from its head to the end of its answer: given an instance, perhaps replayed, sent, answered, counted. */
export class Exchange extends Sender implements AnswerSink {
  #tunnel: Tunnel | null = null
  /** The drain told the tunnel to end. */
  #toldToEnd = false
  #events: EventAnswer | null = null
  /** What the client (or, before the answer, the instance) had not taken at the last look. */
  #untaken = 0

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
    return this.caller.payloadOnly
  }

  protected get sink(): this {
    return this
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
    if (this.#tunnel !== null) {
      this.#tunnel.cut(cause)
    } else if (this.state === 'dialling') {
      this.dropUpstream()
      if (!this.seekUntouched(performance.now())) this.#failed(failure)
    } else if (this.hasElsewhere) {
      this.onUpstreamFailure(failure)
    } else {
      this.#failed(failure)
    }
  }

  // The client

  /** It is gone: the instance need not go on. */
  clientGone(): void {
    if (this.state === 'ended') return
    this.upstream?.abort()
    this.#end('client-gone')
  }

  /** The request's own framing broke in the middle of its body. */
  refuse(answer: OwnAnswer): void {
    if (this.state === 'ended') return
    this.nameVip()
    this.onRefused('refused', answer)
  }

  /** The client took what was written to it. */
  onClientDrain(): void {
    this.since = performance.now()
    this.upstream?.resume()
  }

  /** A final answer has begun. */
  get isAnswering(): boolean {
    return this.state === 'answering'
  }

  /** Ends what takes too long. `now` is monotonic. */
  watch(now: number): void {
    const policy = this.route?.pool?.pool.policy
    if (policy === undefined) return
    const untaken = this.state === 'answering' ? this.caller.untaken : (this.upstream?.untaken ?? 0)
    // Slowly, but it is taken.
    if (untaken < this.#untaken) this.since = now
    this.#untaken = untaken
    const { tunnelIdleTimeoutMs } = this.plane.snapshot.limits
    if (this.state === 'tunnel') {
      this.#tunnel?.watch(now, policy.idleTimeoutMs, tunnelIdleTimeoutMs)
      return
    }
    const stream = this.caller.pending === 0 ? this.#events : null
    const what = overdue(this.state, now - this.since, policy, this.body, stream, tunnelIdleTimeoutMs)
    if (what !== null) this.#giveUp(what)
  }

  // AnswerSink

  onInterim(head: ResponseHead): void {
    this.caller.interim(head)
  }

  onAnswer(
    head: ResponseHead,
    bytes: Buffer,
    start: number,
    end: number,
    payload: readonly number[] | null,
    volatile: boolean,
  ): void {
    this.state = 'answering'
    const now = performance.now()
    this.since = now
    this.account.answering(head.status, now)
    this.account.bytesOut = end - start
    this.answers()
    this.body.forgetSent()
    // An answer before its request is whole is the last on this connection.
    const last = !this.body.complete || this.caller.halfClosed || this.caller.closing
    this.caller.answer(this.#asSent(head), last, this.#exposed, bytes, start, end, payload, volatile)
    this.#events = EventAnswer.of(head, this.caller)
    this.#events?.begun(bytes, start, end, payload)
    this.#pauseIfBehind()
  }

  onBody(bytes: Buffer, start: number, end: number, payload: readonly number[] | null, volatile: boolean): void {
    this.since = performance.now()
    this.account.bytesOut += end - start
    if (this.#events === null) this.caller.body(bytes, start, end, payload, volatile)
    else if (this.#events.pass(bytes, start, end, payload, volatile)) {
      this.#endEvents()
      return
    }
    this.#pauseIfBehind()
  }

  onAnswerEnd(reusable: boolean, trailers: string): void {
    const upstream = this.upstream
    const now = performance.now()
    this.upstream = null
    if (upstream !== null) {
      if (reusable && this.body.complete && upstream.pending === 0) {
        upstream.release(now, this.caller.pending > 0)
      } else upstream.abort()
    }
    this.account.answeredWhole(now)
    this.answeredWell()
    this.#end('answered')
    this.caller.answered(trailers, now)
  }

  onSwitch(head: ResponseHead, bytes: Buffer, start: number, end: number): void {
    const upstream = this.upstream
    this.upstream = null
    const stream = upstream?.tunnel() ?? null
    const asked = head.upgrade !== null && head.upgrade === this.head.upgrade?.toLowerCase()
    const client = asked && stream !== null ? this.caller.becomeTunnel(this.#asSent(head), this.#exposed) : null
    if (stream === null || client === null) {
      upstream?.abort()
      if (!asked) this.failed()
      const detail = 'another protocol was offered'
      this.onRefused('bad-response', { status: 502, error: 'http_protocol_error', detail })
      return
    }
    this.state = 'tunnel'
    this.account.answering(head.status, performance.now())
    this.answers()
    this.answeredWell()
    const tunnel = new Tunnel(client.stream, stream, head.upgrade === 'websocket', this.plane.tunnels, outcome => {
      this.#end(outcome)
      this.caller.tunnelEnded()
    })
    this.#tunnel = tunnel
    tunnel.start()
    if (end > start) tunnel.fromInstance(bytes, start, end)
    if (client.early !== null) tunnel.fromClient(client.early, 0, client.early.length)
    if (this.caller.halfClosed) tunnel.clientEnded()
  }

  onUpstreamFailure(failure: UpstreamFailure): void {
    if (this.state === 'ended') return
    this.dropUpstream()
    if (!this.isRace(failure)) this.failed()
    if (this.state !== 'answering' && this.mayReplay(failure) && this.seekElsewhere()) return
    this.#failed(failure)
  }

  // Seeker

  protected onRefused(outcome: Outcome, answer: OwnAnswer): void {
    this.dropUpstream()
    const answering = this.state === 'answering'
    if (!answering) this.account.answersItself(answer.status)
    this.#end(outcome)
    if (answering) this.caller.cut()
    else if (answer.status !== 503) this.caller.answerOwn(answer)
    else this.caller.answerOwn({ ...answer, page: this.plane.snapshot.limits.maintenancePage })
  }

  // Private

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
    const secure = clientIsSecure(this.head, this.caller.peer, this.plane.snapshot.trusted)
    return withOwnFields(head, route, target, { account: this.account, wanted: this.wanted, secure })
  }

  /** The events stop here, between two of them: to the client the answer is whole. */
  #endEvents(): void {
    this.dropUpstream()
    this.#events?.writeEnd()
    const now = performance.now()
    this.account.answeredWhole(now)
    this.answeredWell()
    this.#end('answered')
    this.caller.answered('', now)
  }

  #pauseIfBehind(): void {
    if (this.caller.pending > 0) this.upstream?.pause()
  }

  #giveUp(what: Overdue): void {
    switch (what) {
      case 'connection':
        this.onConnectFailed(dialError(-constants.errno.ETIMEDOUT))
        break
      case 'answer':
        this.#timeout('the instance did not answer in time')
        break
      case 'request-taken':
        this.#timeout('the instance did not take the request in time')
        break
      case 'body':
        this.onRefused('refused', { status: 408, error: 'http_request_error', detail: 'the body stopped coming' })
        break
      case 'event':
        this.#endEvents()
        break
      case 'answer-moves': {
        const isClients = this.caller.pending > 0
        if (!isClients) this.failed()
        this.upstream?.abort()
        this.#end(isClients ? 'client-gone' : 'timeout')
        this.caller.cut()
      }
    }
  }

  #timeout(detail: string): void {
    this.failed()
    this.onRefused('timeout', { status: 504, error: 'http_response_timeout', detail })
  }

  #end(outcome: Outcome): void {
    const state = this.state
    if (state === 'ended') return
    this.state = 'ended'
    this.account.bytesIn = this.body.octets + (this.#tunnel?.bytesFromClient ?? 0)
    this.account.bytesOut += this.#tunnel?.bytesToClient ?? 0
    if (this.plane.accessLog !== null) this.#log(outcome, state)
    this.conclude(outcome)
  }

  #log(outcome: Outcome, state: keyof typeof PHASES): void {
    const { account, route, target, head, requestId } = this
    const { peer, payloadOnly } = this.caller
    const trusted = peer.isTrustedBy(this.plane.snapshot.trusted)
    const endedBy = this.#toldToEnd ? 'drain' : (this.#tunnel?.endedBy ?? null)
    const asked = askedBy(head, { payloadOnly, trusted, requestId })
    this.plane.accessLog?.write(
      entryOf(asked, { account, peer, route, target, outcome, phase: PHASES[state], endedBy }),
    )
  }
}

/** Where a request was when it ended, as the log has it. */
const PHASES: Readonly<Record<Exclude<ExchangeState, 'ended'>, Phase>> = {
  waiting: 'waiting',
  dialling: 'connecting',
  sent: 'sending',
  answering: 'answering',
  tunnel: 'tunnel',
}
