import '../http1/octets.ts'
import { performance } from 'node:perf_hooks'
import type { ByteHandler, ByteStream } from '../connections/byte-stream.ts'
import { BodyWalker } from '../http1/body-walker.ts'
import type { Peer } from '../connections/peer.ts'
import type { TcpHandle } from '../connections/tcp-handle.ts'
import { switchHeadText, type ExposedInstance } from '../http1/forwarded-answer.ts'
import { ForwardedRequests } from '../http1/forwarded-request.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import { HEAD_END } from '../http1/grammar.ts'
import { isBrokenRequest } from '../http1/partial-head.ts'
import { ownAnswerText, type OwnAnswer } from '../http1/own-answer.ts'
import type { Refusal } from '../http1/request-head.ts'
import { RequestMemo } from '../http1/request-memo.ts'
import type { Caller } from './caller.ts'
import { FIRST_REQUEST_MS } from '../intake/doors.ts'
import { AnswerWriter } from './answer-writer.ts'
import { isIdempotent } from '../http1/idempotent.ts'
import { Exchange } from './exchange.ts'
import type { Plane } from './plane.ts'

/** Pipelined bytes kept while a request is being served; beyond that the client is not read. */
const MAX_PIPELINED = 64 * 1024
/** Bodies up to this size that came with their head become a part of its text. */
const SMALL = 1024
/** And up to this size where the request may be sent again, for which its body must still be here. */
const REPEATED = 16 * 1024
/** After the last answer: how long what still comes is read and dropped, so that no RST overtakes the answer. */
const LINGER_MS = 2000
const LONG_READ = 4096

/** A half-closed client that has waited this long for its answer may as well be gone. */
const SOUND_AFTER_MS = 400

export interface ConnectionOwner {
  onConnectionClosed(connection: ClientConnection): void
  /** It goes to another process; `handle` is its own no more. */
  onConnectionMoved(connection: ClientConnection, handle: TcpHandle): void
}

/** A client's connection: reads requests one at a time, has each served by an Exchange, answers in order. */
export class ClientConnection implements ByteHandler, Caller {
  readonly stream: ByteStream
  readonly address: string
  readonly peer: Peer
  readonly forwarding: ForwardedRequests
  /** The client understands no chunked coding. */
  payloadOnly = false
  readonly #plane: Plane
  readonly #owner: ConnectionOwner
  readonly #walker = new BodyWalker()
  readonly #memo = new RequestMemo()
  readonly #answers: AnswerWriter
  /** `behind`: the client has not taken the last answer; what it asks next is served once it has. */
  #state: 'head' | 'exchange' | 'behind' | 'linger' | 'tunnel' | 'closed' = 'head'
  #exchange: Exchange | null = null
  #text = ''
  #pipelined: Buffer[] = []
  #pipelinedBytes = 0
  #halfClosed = false
  #halfClosedAt = 0
  /** How often a half-closed client was sent what shows whether it is still there. */
  #soundings = 0
  /** The present request's method, for answers of our own. */
  #isHead = false
  /** The client wants the connection closed after the present answer. */
  #isLast = false
  /** When the present wait began: for a request, for the rest of a head, for the client's end. */
  #since = performance.now()
  /** Of the answer, at the last look. */
  #untaken = 0
  #pumping = false
  /** No request has come yet. */
  #unused = true

  constructor(plane: Plane, owner: ConnectionOwner, address: string, peer: Peer, stream: ByteStream) {
    this.#plane = plane
    this.#owner = owner
    this.address = address
    this.peer = peer
    this.forwarding = new ForwardedRequests(peer)
    this.stream = stream
    stream.handler = this
    this.#answers = new AnswerWriter(this.stream)
  }

  get closing(): boolean {
    return this.#plane.isClosing(this.address) || (this.#plane.isLeaving && !this.stream.detachable)
  }

  get halfClosed(): boolean {
    return this.#halfClosed && this.#pipelinedBytes === 0
  }

  /** Nothing is being served and nothing of an answer is left to send. */
  get isIdle(): boolean {
    return this.#exchange === null && this.stream.pending === 0 && this.#state !== 'tunnel'
  }

  /** The process is about to end. */
  destroy(): void {
    this.stream.destroy()
  }

  /** Closes it if no request is under way, nor its first one to be expected. */
  closeIfIdle(): void {
    if (this.#state !== 'head' || this.#text !== '' || !this.isIdle) return
    if (this.#unused && performance.now() - this.#since < FIRST_REQUEST_MS) return
    this.#linger()
  }

  /** Goes to another process if it stands between two requests. */
  leave(): void {
    if (this.#state !== 'head' || this.#text !== '' || this.#pipelinedBytes > 0 || this.#halfClosed) return
    const handle = this.isIdle ? this.stream.detach() : null
    if (handle === null) return
    this.#state = 'closed'
    this.#owner.onConnectionMoved(this, handle)
  }

  watch(now: number): void {
    const { limits } = this.#plane.snapshot
    if (this.#exchange !== null) {
      if (this.#halfClosed && now - this.#halfClosedAt > SOUND_AFTER_MS) this.#sound(this.#exchange)
      this.#exchange.watch(now)
      return
    }
    const { untaken } = this.stream
    // Slowly, but it takes its answer.
    if (untaken < this.#untaken) this.#since = now
    this.#untaken = untaken
    const waited = now - this.#since
    if (this.#state === 'linger') {
      if (waited > LINGER_MS && (this.stream.pending === 0 || waited > limits.idleTimeoutMs)) this.stream.destroy()
    } else if (this.#state === 'behind') {
      if (waited > limits.idleTimeoutMs) this.stream.destroy()
    } else if (this.#state === 'head') {
      if (this.#text !== '') {
        if (waited > limits.headTimeoutMs) this.#refuse({ status: 408, detail: 'the head stopped coming', close: true })
      } else if (waited > limits.keepAliveTimeoutMs) this.#linger()
    }
  }

  // ByteHandler

  onBytes(bytes: Buffer, start: number, end: number): void {
    switch (this.#state) {
      case 'head':
        this.#onHeadBytes(bytes, start, end)
        if (!this.#pumping) this.#pump()
        break
      case 'exchange':
        if (this.#walker.done) this.#keep(bytes, start, end)
        else this.#onBodyBytes(bytes, start, end)
        break
      case 'behind':
        this.#keep(bytes, start, end)
        break
      case 'linger':
      case 'tunnel':
      case 'closed':
      // Read and dropped.
    }
  }

  onEnd(): void {
    this.#halfClosed = true
    this.#halfClosedAt = performance.now()
    if (this.#state === 'linger') {
      // It still gets the rest of its last answer; the stream closes after that.
      if (this.stream.pending === 0) this.stream.destroy()
    } else if (this.#exchange === null) {
      // What it asked before is still answered.
      if (this.#pipelinedBytes > 0) return
      this.#leftInHead()
      this.#linger()
    } else if (!this.#walker.done) {
      // The request will never be whole (RFC 9112 section 8).
      this.stream.destroy()
    }
  }

  onDrain(): void {
    if (this.#state === 'behind') this.#awaitHead()
    else this.#exchange?.onClientDrain()
  }

  onClose(): void {
    const exchange = this.#exchange
    this.#exchange = null
    this.#leftInHead()
    if (this.#state !== 'tunnel') exchange?.clientGone()
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#owner.onConnectionClosed(this)
  }

  // Caller

  get pending(): number {
    return this.stream.pending
  }

  get untaken(): number {
    return this.stream.untaken
  }

  get volatile(): boolean {
    return this.stream.volatile
  }

  pause(): void {
    this.stream.pause()
  }

  resume(): void {
    this.stream.resume()
  }

  interim(head: ResponseHead): void {
    this.#answers.interim(head)
  }

  answer(
    head: ResponseHead,
    last: boolean,
    exposed: ExposedInstance | null,
    bytes: Buffer,
    start: number,
    end: number,
    payload: readonly number[] | null,
    volatile: boolean,
  ): void {
    this.#answers.begin(head, last, exposed, bytes, start, end, payload, volatile)
  }

  body(bytes: Buffer, start: number, end: number, payload: readonly number[] | null, volatile: boolean): void {
    this.#answers.body(bytes, start, end, payload, volatile)
  }

  answerOwn(answer: OwnAnswer): void {
    this.#exchange = null
    const close = !this.#walker.done || this.#isLast || this.halfClosed || this.closing
    this.stream.write(ownAnswerText(answer, { close, noBody: this.#isHead }))
    this.#next(close, performance.now())
  }

  answered(_trailers: string, now: number): void {
    this.#exchange = null
    this.#next(this.#answers.close || !this.#walker.done, now)
  }

  cut(): void {
    this.#exchange = null
    this.#state = 'linger'
    this.stream.reset()
  }

  becomeTunnel(head: ResponseHead, exposed: ExposedInstance | null): { stream: ByteStream; early: Buffer | null } {
    this.stream.write(switchHeadText(head, exposed))
    this.#state = 'tunnel'
    const early = this.#pipelinedBytes === 0 ? null : Buffer.concat(this.#pipelined)
    this.#pipelined = []
    this.#pipelinedBytes = 0
    return { stream: this.stream, early }
  }

  tunnelEnded(): void {
    this.onClose()
  }

  // Private

  /**
   * A FIN may come from a client that has only stopped sending, or from one that is gone. The second answers what it is sent
   * with a reset, which the write after that meets, since nothing is read any more. A 100 does for both: who is there drops
   * it unasked for (RFC 9110 section 15.2). No more than two, since some clients count interim answers.
   */
  #sound(exchange: Exchange): void {
    if (this.#soundings === 2 || exchange.isAnswering || this.payloadOnly || this.stream.pending > 0) return
    this.#soundings += 1
    this.stream.write('HTTP/1.1 100 Continue\r\n\r\n')
  }

  #next(close: boolean, now: number): void {
    if (close) {
      this.#linger()
      return
    }
    this.#since = now
    // Else a client that takes nothing could have any number of answers kept here.
    if (this.stream.pending > 0) this.#state = 'behind'
    else this.#awaitHead()
  }

  #awaitHead(): void {
    this.#state = 'head'
    if (!this.#pumping) this.#pump()
  }

  /** Sends FIN after the last answer, and drops what still comes until the client's own. */
  #linger(): void {
    if (this.#state === 'closed') return
    this.#state = 'linger'
    this.#since = performance.now()
    this.#pipelined = []
    this.#pipelinedBytes = 0
    this.stream.useSharedBuffer()
    this.stream.resume()
    this.stream.end()
  }

  /** Serves pipelined requests, without recursion however many are answered at once. */
  #pump(): void {
    this.#pumping = true
    while (this.#state === 'head' && this.#pipelinedBytes > 0) {
      const bytes = this.#pipelined.length === 1 ? this.#pipelined[0] : Buffer.concat(this.#pipelined)
      this.#pipelined = []
      this.#pipelinedBytes = 0
      if (bytes !== undefined) this.onBytes(bytes, 0, bytes.length)
    }
    this.#pumping = false
    if (this.#state !== 'head') return
    this.stream.resume()
    if (this.#halfClosed) this.#linger()
    else if (this.#plane.isLeaving) this.leave()
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    if (start >= end) return
    const part = bytes.subarray(start, end)
    // Behind what is kept already. What is pumped was copied when it came in.
    this.#pipelined.push(this.#pumping ? part : Buffer.from(part))
    this.#pipelinedBytes += end - start
    if (this.#pipelinedBytes >= MAX_PIPELINED) this.stream.pause()
  }

  #onHeadBytes(bytes: Buffer, start: number, end: number): void {
    const limits = this.#plane.snapshot.limits
    let from = start
    // RFC 9112 section 2.2: empty lines before a request are skipped; one may be cut in two.
    if (this.#text === '\r' && bytes[from] === 10) {
      this.#text = ''
      from++
    }
    if (this.#text === '') {
      while (from + 1 < end && bytes[from] === 13 && bytes[from + 1] === 10) from += 2
      if (from === end) return
      this.#since = performance.now()
      this.#unused = false
    }
    const before = this.#text.length
    if (before === 0 && end - from > LONG_READ) {
      const found = bytes.indexOf(HEAD_END, from, 'latin1')
      this.#text = bytes.latin1Slice(from, found === -1 || found + 4 > end ? end : found + 4)
    } else {
      this.#text += bytes.latin1Slice(from, end)
    }
    const headEnd = this.#text.indexOf(HEAD_END, Math.max(0, before - 3))
    if (headEnd === -1 || headEnd > limits.maxHeadBytes) {
      this.#onPartialHead(limits.maxHeadBytes, before)
      return
    }
    const text = this.#text
    this.#text = ''
    const head = this.#memo.parse(text.slice(0, headEnd), limits.maxHeaders)
    if ('status' in head) {
      this.#isHead = text.startsWith('HEAD ')
      this.#refuse(head, text)
      return
    }
    this.#isHead = head.method === 'HEAD'
    this.#isLast = !head.keepAlive
    this.#state = 'exchange'
    this.payloadOnly = head.http10
    this.#answers.expect(head)
    const bodyStart = from - before + headEnd + 4
    const walker = this.#walker
    walker.start(head.body, head.length)
    // A head in one piece came just now.
    const now = before === 0 ? this.#since : performance.now()
    const exchange = new Exchange(this.#plane, this, head, now)
    this.#exchange = exchange
    const bodyEnd = walker.walk(bytes, bodyStart, end)
    const { body } = exchange
    body.complete = walker.done
    body.received = walker.chunked
    if (bodyEnd > bodyStart) {
      const size = bodyEnd - bodyStart
      if (size <= (isIdempotent(head.method) ? REPEATED : SMALL)) body.initial = bytes.latin1Slice(bodyStart, bodyEnd)
      else body.lend(bytes, bodyStart, bodyEnd)
    }
    this.#keep(bytes, bodyEnd, walker.failed ? bodyEnd : end)
    if (walker.failed) {
      exchange.refuse({ status: 400, error: 'http_request_error', detail: 'broken chunked framing' })
      return
    }
    exchange.choose(now)
    // It may have ended in that step: then nothing of it is kept, and the connection reads on.
    if (this.#exchange !== exchange) return
    body.settle()
    if (!walker.done) this.stream.usePrivateBuffer()
  }

  #onBodyBytes(bytes: Buffer, start: number, end: number): void {
    const exchange = this.#exchange
    if (exchange === null) return
    const bodyEnd = this.#walker.walk(bytes, start, end)
    if (this.#walker.failed) {
      exchange.refuse({ status: 400, error: 'http_request_error', detail: 'broken chunked framing' })
      return
    }
    const { done } = this.#walker
    exchange.body.complete = done
    exchange.body.received = this.#walker.chunked
    // Before the request goes on: it may end here, and what follows it be served next.
    if (done) this.#keep(bytes, bodyEnd, end)
    if (bodyEnd > start) exchange.onRequestBytes(bytes, start, bodyEnd)
    if (done && this.#exchange === exchange) this.stream.useSharedBuffer(exchange.body.unsent)
  }

  #onPartialHead(maxHeadBytes: number, before: number): void {
    const text = this.#text
    this.#isHead = text.startsWith('HEAD ')
    if (text.length > maxHeadBytes) {
      const line = text.indexOf('\r\n')
      const long = line === -1 || line > maxHeadBytes
      this.#refuse({
        status: long ? 414 : 431,
        detail: long ? 'the target is too long' : 'the head is too long',
        close: true,
      })
    } else if (isBrokenRequest(text, before)) {
      this.#refuse({ status: 400, detail: 'malformed request', close: true })
    }
  }

  /** Answers a request that never became one. It counts as arrived and refused at the address's first listener. */
  #refuse(refusal: Refusal, text = this.#text): void {
    const site = this.#plane.snapshot.sites.get(this.address)
    if (this.#plane.accessLog !== null) this.#logUnparsed(text, refusal.status)
    if (site !== undefined) this.#plane.ledger.refused(site.first.listener.key, refusal.status)
    this.#text = ''
    const answer: OwnAnswer = { status: refusal.status, error: 'http_request_error', detail: refusal.detail }
    this.stream.write(ownAnswerText(answer, { close: true, noBody: this.#isHead }))
    this.#linger()
  }

  /** The client goes in the middle of a head: that is no request, but worth a line. */
  #leftInHead(): void {
    if (this.#state !== 'head' || this.#text === '') return
    if (this.#plane.accessLog !== null) this.#logUnparsed(this.#text, 0)
    this.#text = ''
  }

  #logUnparsed(text: string, status: number): void {
    const listener = this.#plane.snapshot.sites.get(this.address)?.first.listener
    this.#plane.accessLog?.writeUnparsed(text, status, {
      vip: listener?.key ?? '',
      service: listener?.service ?? '',
      slot: listener?.slot ?? null,
      peer: this.peer,
      durationMs: performance.now() - this.#since,
    })
  }
}
