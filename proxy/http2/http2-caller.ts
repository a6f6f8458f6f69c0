import { constants, type ServerHttp2Stream } from 'node:http2'
import type { ByteStream } from '../connections/byte-stream.ts'
import type { Peer } from '../connections/peer.ts'
import type { Caller } from '../front/caller.ts'
import { Exchange } from '../front/exchange.ts'
import type { Plane } from '../front/plane.ts'
import { noteUnparsed } from '../front/unparsed.ts'
import type { ExposedInstance } from '../http1/forwarded-answer.ts'
import type { OwnAnswer } from '../http1/own-answer.ts'
import { parseRequestHead, type Refusal, type RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import { AnswerStream, type Answering } from './answer-stream.ts'
import { chunkOf, lastChunk, trailerLines } from './fields.ts'
import { PER_FRAME } from './flood-guard.ts'
import { requestText } from './request-text.ts'

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants

/** Where a stream belongs: what streams of one connection share. */
export interface CallerOwner {
  readonly plane: Plane
  readonly peer: Peer
  readonly address: string
  /** Octets that served a request. */
  earn(octets: number): void
  /** `abandoned`: before its answer was whole. */
  onCallerClosed(caller: Http2Caller, abandoned: boolean): void
}

/** One stream of a client's connection: a request and its answer, served by an Exchange. */
export class Http2Caller implements Caller, Answering {
  readonly volatile = false
  readonly payloadOnly = true
  readonly halfClosed = false
  /** GOAWAY tells. */
  readonly closing = false
  readonly peer: Peer
  readonly address: string
  readonly #owner: CallerOwner
  readonly #stream: ServerHttp2Stream
  readonly #answer: AnswerStream
  #exchange: Exchange | null = null
  /** The client has sent END_STREAM. */
  #ended: boolean
  #chunked = false
  /** Octets of the request's body still to come, where it has a length. */
  #left = 0
  #requestTrailers = ''
  #paused = false
  #abandoned = false
  #closed = false
  /** When octets last moved once nothing but sending was left to do. */
  #since = 0
  constructor(owner: CallerOwner, stream: ServerHttp2Stream, flags: number) {
    this.#owner = owner
    this.peer = owner.peer
    this.address = owner.address
    this.#stream = stream
    this.#answer = new AnswerStream(stream, this)
    this.#ended = (flags & NGHTTP2_FLAG_END_STREAM) !== 0
    // 'close' follows.
    stream.on('error', () => this.#gone())
    stream.on('aborted', () => this.#gone())
    stream.on('close', () => {
      this.#gone()
      this.#over()
    })
  }

  /** Serves the request with this header block: names and values in turn. */
  serve(raw: readonly string[]): void {
    const { plane } = this.#owner
    const { limits } = plane.snapshot
    const text = requestText(raw, this.#ended)
    if (typeof text !== 'string') {
      this.#refuse(text, '')
      return
    }
    this.#owner.earn(text.length + PER_FRAME)
    const head =
      text.length > limits.maxHeadBytes ? tooLong(text, limits.maxHeadBytes) : parseRequestHead(text, limits.maxHeaders)
    if ('status' in head) {
      this.#refuse(head, text)
      return
    }
    const now = performance.now()
    const exchange = new Exchange(plane, this, head, now)
    this.#exchange = exchange
    exchange.body.complete = head.body === 'none'
    exchange.choose(now)
    if (!this.#ended) this.#readBody(head)
  }

  /** Octets of the request's body that were read and not used. */
  get unused(): number {
    return this.#stream.readableLength
  }

  watch(now: number): void {
    if (this.#exchange !== null) this.#exchange.watch(now)
    else if (now - this.#since > this.#owner.plane.snapshot.limits.idleTimeoutMs) this.#stream.close(NGHTTP2_CANCEL)
  }

  // Caller

  get pending(): number {
    return this.#stream.writableLength
  }

  get untaken(): number {
    return this.pending
  }

  pause(): void {
    this.#paused = true
    this.#stream.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#stream.resume()
  }

  interim(head: ResponseHead): void {
    this.#answer.interim(head)
  }

  answer(
    head: ResponseHead,
    _last: boolean,
    exposed: ExposedInstance | null,
    bytes: Buffer,
    start: number,
    end: number,
    payload: readonly number[] | null,
    volatile: boolean,
  ): void {
    this.#answer.begin(head, exposed, bytes, start, end, payload, volatile)
  }

  body(bytes: Buffer, start: number, end: number, payload: readonly number[] | null, volatile: boolean): void {
    this.#answer.body(bytes, start, end, payload, volatile)
  }

  answered(trailers: string, now: number): void {
    this.#exchange = null
    this.#since = now
    this.#answer.end(trailers)
  }

  answerOwn(answer: OwnAnswer): void {
    this.#exchange = null
    this.#since = performance.now()
    this.#answer.own(answer)
  }

  cut(): void {
    this.#exchange = null
    this.#stream.close(NGHTTP2_INTERNAL_ERROR)
  }

  /** WebSocket over HTTP/2 (RFC 8441) is not announced, so nobody asks for it. */
  becomeTunnel(): { stream: ByteStream; early: Buffer | null } | null {
    return null
  }

  tunnelEnded(): void {
    // There are none.
  }

  // Answering

  earn(octets: number): void {
    this.#owner.earn(octets)
  }

  onTaken(): void {
    this.#since = performance.now()
    this.#exchange?.onClientDrain()
  }

  /** An answer before the end of its request: tells the client to stop sending (RFC 9113 section 8.1). */
  onAnswerGiven(): void {
    if (this.#ended) return
    // Waits until the answer is sent.
    this.#stream.close(NGHTTP2_NO_ERROR)
    // After this code Node keeps a stream until what it holds is read. Not earlier: on a stream that still has trailers to
    // send that may abort the process.
    this.resume()
  }

  // Private

  /** Answers a request that never became one. */
  #refuse({ status, detail }: Refusal, text: string): void {
    const { address, peer } = this
    noteUnparsed(this.#owner.plane, { address, peer, text, status, since: performance.now() })
    this.answerOwn({ status, error: 'http_request_error', detail })
  }

  #readBody(head: RequestHead): void {
    const stream = this.#stream
    this.#chunked = head.body === 'chunked'
    this.#left = head.length
    stream.on('data', (bytes: Buffer) => this.#onData(bytes))
    stream.on('trailers', (_fields: unknown, _flags: number, raw: string[]) => this.#onTrailers(raw))
    stream.on('end', () => this.#onEnd())
  }

  #onData(bytes: Buffer): void {
    this.#owner.earn(bytes.length + PER_FRAME)
    const exchange = this.#exchange
    if (exchange === null) return
    if (this.#chunked) {
      const framed = chunkOf(bytes)
      exchange.body.received += bytes.length
      exchange.onRequestBytes(framed, 0, framed.length)
      return
    }
    // nghttp2 holds the client to its Content-Length.
    this.#left -= bytes.length
    exchange.body.complete = this.#left === 0
    exchange.onRequestBytes(bytes, 0, bytes.length)
  }

  #onTrailers(raw: readonly string[]): void {
    const lines = trailerLines(raw)
    this.#requestTrailers = lines ?? ''
    if (lines !== null) return
    this.#exchange?.refuse({ status: 400, error: 'http_request_error', detail: 'a field that no trailer may be' })
  }

  #onEnd(): void {
    // An answer to HEAD is ended beforehand, so that a reset looks like an end here.
    if (this.#exchange !== null && this.#stream.closed) {
      this.#gone()
      return
    }
    this.#ended = true
    const exchange = this.#exchange
    if (exchange === null || !this.#chunked) return
    const last = lastChunk(this.#requestTrailers)
    exchange.body.complete = true
    exchange.onRequestBytes(last, 0, last.length)
  }

  #gone(): void {
    const exchange = this.#exchange
    if (exchange === null) return
    this.#exchange = null
    this.#abandoned = true
    if (this.#stream.closed && this.#stream.rstCode === NGHTTP2_NO_ERROR) this.resume()
    exchange.clientGone()
  }

  #over(): void {
    if (this.#closed) return
    this.#closed = true
    this.#owner.earn(this.unused)
    this.#owner.onCallerClosed(this, this.#abandoned)
  }
}

function tooLong(text: string, maxHeadBytes: number): Refusal {
  const line = text.indexOf('\r\n')
  return line > maxHeadBytes
    ? { status: 414, detail: 'the target is too long', close: false }
    : { status: 431, detail: 'the head is too long', close: false }
}
