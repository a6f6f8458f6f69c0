import { constants, type ServerHttp2Stream } from 'node:http2'
import type { ByteStream } from '../connections/byte-stream.ts'
import type { Peer } from '../connections/peer.ts'
import type { Caller } from '../front/caller.ts'
import { Exchange } from '../front/exchange.ts'
import type { Plane } from '../front/plane.ts'
import { noteUnparsed } from '../front/unparsed.ts'
import { dateText } from '../http1/date.ts'
import type { ExposedInstance } from '../http1/forwarded-answer.ts'
import type { ForwardedRequests } from '../http1/forwarded-request.ts'
import { ownAnswerText, type OwnAnswer } from '../http1/own-answer.ts'
import { parseRequestHead, type Refusal, type RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import { addLines, chunkOf, lastChunk, noFields, trailerLines } from './fields.ts'
import { PER_FRAME } from './flood-guard.ts'
import { requestText } from './request-text.ts'

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants

/** Where a stream belongs: what streams of one connection share. */
export interface CallerOwner {
  readonly plane: Plane
  readonly peer: Peer
  readonly forwarding: ForwardedRequests
  readonly address: string
  /** Octets that served a request. */
  earn(octets: number): void
  /** `abandoned`: before its answer was whole. */
  onCallerClosed(caller: Http2Caller, abandoned: boolean): void
}

/** One stream of a client's connection: a request and its answer, served by an Exchange. */
export class Http2Caller implements Caller {
  readonly volatile = false
  readonly payloadOnly = true
  readonly halfClosed = false
  /** GOAWAY tells. */
  readonly closing = false
  readonly peer: Peer
  readonly forwarding: ForwardedRequests
  readonly address: string
  readonly #owner: CallerOwner
  readonly #stream: ServerHttp2Stream
  #exchange: Exchange | null = null
  /** The client has sent END_STREAM. */
  #ended: boolean
  #chunked = false
  /** Octets of the request's body still to come, where it has a length. */
  #left = 0
  #requestTrailers = ''
  #paused = false
  /** The answer has no body, or its end was sent with its head. */
  #bodiless = false
  /** The end is sent with trailers, perhaps none, and only if the answer became whole. */
  #awaitsTrailers = false
  #trailers = ''
  #abandoned = false
  #closed = false
  /** When octets last moved once nothing but sending was left to do. */
  #since = 0
  readonly #onWritten = (error?: Error | null): void => {
    if (error != null || this.#stream.writableLength > 0) return
    this.#since = performance.now()
    this.#exchange?.onClientDrain()
  }

  constructor(owner: CallerOwner, stream: ServerHttp2Stream, flags: number) {
    this.#owner = owner
    this.peer = owner.peer
    this.forwarding = owner.forwarding
    this.address = owner.address
    this.#stream = stream
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
    if (this.#isOver()) return
    const fields = addLines(noFields(), head.fields)
    this.#stream.additionalHeaders({ ...fields, ':status': head.status })
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
    if (this.#isOver()) return
    const fields = addLines(noFields(), head.fields)
    if (!head.dated) fields['date'] = dateText()
    if (exposed !== null) {
      fields['x-vipswap-deployment'] = exposed.deployment
      fields['x-vipswap-instance'] = exposed.instance
      fields['x-vipswap-version'] = exposed.version
    }
    // Where there is more to come Node is kept from ending the stream by itself: it does so even on a reset.
    this.#awaitsTrailers = head.body !== 'length' || end - start < head.length
    this.#respond(head.status, fields, head.body === 'none')
    this.body(bytes, start, end, payload, volatile)
  }

  body(bytes: Buffer, start: number, end: number, payload: readonly number[] | null, volatile: boolean): void {
    if (this.#bodiless || this.#isOver()) return
    if (payload === null || payload.length === 2) {
      const from = payload?.[0] ?? start
      const to = payload?.[1] ?? end
      if (to <= from) return
      const part = bytes.subarray(from, to)
      this.#write(volatile ? Buffer.from(part) : part)
    } else if (payload.length > 0) this.#write(joined(bytes, payload))
  }

  answered(trailers: string, now: number): void {
    this.#exchange = null
    this.#trailers = trailers
    this.#finish(now)
  }

  answerOwn(answer: OwnAnswer): void {
    this.#exchange = null
    this.#sendOwn(answer)
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

  // Private

  #isOver(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  #write(part: Buffer): void {
    this.#owner.earn(PER_FRAME + (part.length >> 7))
    this.#stream.write(part, this.#onWritten)
  }

  #respond(status: number, fields: ReturnType<typeof noFields>, endStream: boolean): void {
    const stream = this.#stream
    // Node itself ends those that can have no body: HEAD, 204, 205, 304.
    fields[':status'] = String(status)
    stream.respond(fields, { endStream, waitForTrailers: this.#awaitsTrailers && !endStream })
    this.#bodiless = stream.writableEnded
    if (this.#awaitsTrailers && !this.#bodiless) stream.once('wantTrailers', () => this.#sendTrailers())
  }

  #sendTrailers(): void {
    this.#stream.sendTrailers(addLines(noFields(), this.#trailers))
    // Node sends them by an immediate of its own, which is before this one.
    setImmediate(() => this.#closeIfUnread())
  }

  /** All of the answer was given: ends the stream. */
  #finish(now: number): void {
    this.#since = now
    if (this.#isOver()) return
    if (!this.#bodiless) this.#stream.end()
    if (!this.#awaitsTrailers || this.#bodiless) this.#closeIfUnread()
  }

  /** An answer before the end of its request: tells the client to stop sending (RFC 9113 section 8.1). */
  #closeIfUnread(): void {
    if (this.#ended) return
    // Waits until the answer is sent.
    this.#stream.close(NGHTTP2_NO_ERROR)
    // After this code Node keeps a stream until what it holds is read. Not earlier: on a stream that still has trailers to
    // send that may abort the process.
    this.resume()
  }

  #sendOwn(answer: OwnAnswer): void {
    if (this.#isOver()) return
    // Node has ended it for HEAD.
    const noBody = this.#stream.writableEnded
    const text = ownAnswerText(answer, { close: false, noBody })
    const headEnd = text.indexOf('\r\n\r\n')
    const fields = addLines(noFields(), text.slice(0, headEnd + 2), text.indexOf('\r\n') + 2)
    this.#respond(answer.status, fields, noBody)
    if (!this.#bodiless) this.#stream.write(text.slice(headEnd + 4), 'latin1', this.#onWritten)
    this.#finish(performance.now())
  }

  /** Answers a request that never became one. */
  #refuse({ status, detail }: Refusal, text: string): void {
    const { address, peer } = this
    noteUnparsed(this.#owner.plane, { address, peer, text, status, since: performance.now() })
    this.#sendOwn({ status, error: 'http_request_error', detail })
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

/** Many small ranges as one buffer of their own. */
function joined(bytes: Buffer, ranges: readonly number[]): Buffer {
  let size = 0
  for (let index = 0; index < ranges.length; index += 2) size += (ranges[index + 1] ?? 0) - (ranges[index] ?? 0)
  const whole = Buffer.allocUnsafe(size)
  let at = 0
  for (let index = 0; index < ranges.length; index += 2) at += bytes.copy(whole, at, ranges[index], ranges[index + 1])
  return whole
}
