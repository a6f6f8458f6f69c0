import { performance } from 'node:perf_hooks'
import type { ByteHandler, ByteStream } from '../connections/byte-stream.ts'
import { BodyWalker } from '../http1/body-walker.ts'
import type { Peer } from '../connections/peer.ts'
import type { TcpHandle } from '../connections/tcp-handle.ts'
import { switchHeadText, type ExposedInstance } from '../http1/forwarded-answer.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import { ownAnswerText, type OwnAnswer } from '../http1/own-answer.ts'
import type { Refusal } from '../http1/request-head.ts'
import type { Caller } from './caller.ts'
import { FIRST_REQUEST_MS, type ConnectionOwner } from '../intake/doors.ts'
import { AnswerWriter } from './answer-writer.ts'
import { isIdempotent } from '../http1/idempotent.ts'
import { Exchange } from './exchange.ts'
import { Pipeline } from './pipeline.ts'
import type { Plane } from './plane.ts'
import { RequestReader } from './request-reader.ts'
import { noteUnparsed } from './unparsed.ts'

/** Bodies up to this size that came with their head become a part of its text. */
const SMALL = 1024
/** And up to this size where the request may be sent again, for which its body must still be here. */
const REPEATED = 16 * 1024
/** After the last answer: how long what still comes is read and dropped, so that no RST overtakes the answer. */
const LINGER_MS = 2000

/** A half-closed client that has waited this long for its answer may as well be gone. */
const SOUND_AFTER_MS = 400

export interface Http1Owner extends ConnectionOwner {
  /** Removes it, since it goes to another process; `handle` is its own no more. */
  move(connection: ClientConnection, handle: TcpHandle): void
}

/** A client's connection: reads requests one at a time, has each served by an Exchange, answers in order. */
export class ClientConnection implements ByteHandler, Caller {
  readonly stream: ByteStream
  readonly address: string
  readonly peer: Peer
  /** The client understands no chunked coding. */
  payloadOnly = false
  readonly #plane: Plane
  readonly #owner: Http1Owner
  readonly #walker = new BodyWalker()
  readonly #reader = new RequestReader()
  readonly #answers: AnswerWriter
  /** `behind`: the client has not taken the last answer; what it asks next is served once it has. */
  #state: 'head' | 'exchange' | 'behind' | 'linger' | 'tunnel' | 'closed' = 'head'
  #exchange: Exchange | null = null
  /** Null: nothing was sent ahead yet. */
  #pipeline: Pipeline | null = null
  #halfClosed = false
  #halfClosedAt = 0
  /** How often a half-closed client was sent what shows whether it is still there. */
  #soundings = 0
  /** The present request's method, for answers of our own. */
  #isHead = false
  /** The client wants the connection closed after the present answer. */
  #isLast = false
  /** When the present wait began: for a request, for the client to take an answer, for its end. */
  #since = performance.now()
  /** Of the answer, at the last look. */
  #untaken = 0
  #pumping = false

  constructor(plane: Plane, owner: Http1Owner, address: string, peer: Peer, stream: ByteStream) {
    this.#plane = plane
    this.#owner = owner
    this.address = address
    this.peer = peer
    this.stream = stream
    stream.handler = this
    this.#answers = new AnswerWriter(this.stream)
  }

  get closing(): boolean {
    return this.#plane.isClosing(this.address) || (this.#plane.isLeaving && !this.stream.detachable)
  }

  get halfClosed(): boolean {
    return this.#halfClosed && !this.#hasMore
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
    if (this.#state !== 'head' || this.#reader.text !== '' || !this.isIdle) return
    if (this.#reader.since === 0 && performance.now() - this.#since < FIRST_REQUEST_MS) return
    this.#linger()
  }

  /** Goes to another process if it stands between two requests. */
  leave(): void {
    if (this.#state !== 'head' || this.#reader.text !== '' || this.#hasMore || this.#halfClosed) return
    const handle = this.isIdle ? this.stream.detach() : null
    if (handle === null) return
    this.#state = 'closed'
    this.#owner.move(this, handle)
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
      if (this.#reader.text !== '') {
        const detail = 'the head stopped coming'
        if (now - this.#reader.since > limits.headTimeoutMs) this.#refuse({ status: 408, detail, close: true })
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
      if (this.#hasMore) return
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
    this.#owner.remove(this)
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
    return { stream: this.stream, early: this.#pipeline?.take() ?? null }
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
    this.#pipeline = null
    this.stream.useSharedBuffer()
    this.stream.resume()
    this.stream.end()
  }

  /** Serves pipelined requests, without recursion however many are answered at once. */
  #pump(): void {
    this.#pumping = true
    while (this.#state === 'head') {
      const bytes = this.#pipeline?.take() ?? null
      if (bytes === null) break
      this.onBytes(bytes, 0, bytes.length)
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
    this.#pipeline ??= new Pipeline()
    // What is pumped was copied when it came in.
    if (!this.#pipeline.keep(this.#pumping ? part : Buffer.from(part))) this.stream.pause()
  }

  #onHeadBytes(bytes: Buffer, start: number, end: number): void {
    const reader = this.#reader
    const head = reader.read(bytes, start, end, this.#plane.snapshot.limits)
    if (head === null) return
    if ('status' in head) {
      this.#refuse(head)
      return
    }
    this.#isHead = head.method === 'HEAD'
    this.#isLast = !head.keepAlive
    this.#state = 'exchange'
    this.payloadOnly = head.http10
    this.#answers.expect(head)
    const { bodyStart, wholeAt } = reader
    const walker = this.#walker
    walker.start(head.body, head.length)
    const exchange = new Exchange(this.#plane, this, head, wholeAt)
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
    exchange.choose(wholeAt)
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

  /** Answers a request that never became one. */
  #refuse({ status, detail }: Refusal): void {
    const noBody = this.#reader.text.startsWith('HEAD ')
    this.#noteUnparsed(status)
    this.stream.write(ownAnswerText({ status, error: 'http_request_error', detail }, { close: true, noBody }))
    this.#linger()
  }

  /** The client goes in the middle of a head: that is no request, but worth a line. */
  #leftInHead(): void {
    if (this.#state === 'head' && this.#reader.text !== '') this.#noteUnparsed(0)
  }

  #noteUnparsed(status: number): void {
    const { address, peer } = this
    const { text, since } = this.#reader
    this.#reader.text = ''
    noteUnparsed(this.#plane, { address, peer, text, status, since })
  }

  /** Something that was sent ahead waits. */
  get #hasMore(): boolean {
    return this.#pipeline !== null && !this.#pipeline.isEmpty
  }
}
