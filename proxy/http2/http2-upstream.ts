import { constants, type ClientHttp2Stream } from 'node:http2'
import type { ByteStream } from '../connections/byte-stream.ts'
import { BodyWalker } from '../http1/body-walker.ts'
import type { RequestHead } from '../http1/request-head.ts'
import { parseResponseHead, type ResponseHead } from '../http1/response-head.ts'
import type { TargetState } from '../routing/target.ts'
import type { AnswerSink, UpstreamFailure } from '../upstream/answer-sink.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { addLines, chunkOf, lastChunk, linesOf, noFields, trailerLines, type Http2Fields } from './fields.ts'
import { UpstreamSession, type SessionWaiter } from './upstream-session.ts'

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR } = constants

/** Interim answers (1xx) to one request. */
const MAX_INTERIM = 100
const NOTHING = Buffer.alloc(0)

/** One stream of a session with an instance, for one request. */
export class Http2Upstream implements Upstream, SessionWaiter {
  #session: UpstreamSession | null
  #sink: AnswerSink | null
  #stream: ClientHttp2Stream | null = null
  /** Takes the request's body out of its HTTP/1.1 framing. */
  readonly #walker = new BodyWalker()
  #interim = 0
  #answer: ResponseHead | null = null
  /** Octets of the answer's body still to come, where it has a length. */
  #left = 0
  #trailers = ''
  /** END_STREAM came: the answer is whole. A reset ends the readable side too. */
  #whole = false
  #paused = false
  readonly #onWritten = (error?: Error | null): void => {
    if (error == null && this.#stream?.writableLength === 0) this.#sink?.onUpstreamDrain()
  }

  private constructor(session: UpstreamSession | null, sink: AnswerSink | null) {
    this.#session = session
    this.#sink = sink
  }

  /** By a session that is open and has room; null: there is none. */
  static take(target: TargetState): Http2Upstream | null {
    const session = UpstreamSession.withRoom(target)
    return session === null ? null : new Http2Upstream(session, null)
  }

  /** By a session that is being dialled, for `sink`, which is told by `onConnected` or `onConnectFailed`. */
  static dial(target: TargetState, sink: AnswerSink): Http2Upstream {
    const upstream = new Http2Upstream(null, sink)
    UpstreamSession.dial(target, upstream)
    return upstream
  }

  // SessionWaiter

  waitFor(session: UpstreamSession): void {
    this.#session = session
  }

  onReady(): void {
    this.#sink?.onConnected()
  }

  onFailed(error: Error): void {
    const sink = this.#sink
    this.#sink = null
    sink?.onConnectFailed(error)
  }

  // Upstream

  get pending(): number {
    return this.#stream?.writableLength ?? 0
  }

  get untaken(): number {
    return this.pending
  }

  begin(sink: AnswerSink, head: RequestHead, text: string, initial: string, lent: Buffer | null): boolean {
    this.#sink = sink
    const chunked = head.body === 'chunked'
    let stream: ClientHttp2Stream
    try {
      // Chosen and begun in one step: the session is open.
      if (this.#session === null) throw new Error('no session')
      stream = this.#session.request(requestFields(head, text), head.body === 'none', chunked)
    } catch {
      // Out of stream ids, or closed by a GOAWAY of this moment: nothing was sent. Not from within the call that chose.
      queueMicrotask(() =>
        this.#fail('upstream-closed', 'connection_terminated', 'the session takes no requests', true),
      )
      return false
    }
    this.#stream = stream
    this.#noteEnd(stream)
    this.#walker.start(head.body, head.length)
    this.#walker.payload = []
    if (chunked) {
      stream.once('wantTrailers', () => stream.sendTrailers(addLines(noFields(), this.#walker.trailers)))
    }
    stream.on('headers', (_fields: unknown, _flags: number, raw: string[]) => this.#onInterim(raw))
    stream.on('response', (_fields: unknown, flags: number, raw: string[]) => this.#onResponse(head, flags, raw))
    stream.on('error', ignore)
    stream.on('close', () => this.#onClose())
    if (initial !== '') this.write(Buffer.from(initial, 'latin1'))
    if (lent !== null) this.write(Buffer.from(lent))
    return true
  }

  write(part: Buffer): void {
    const stream = this.#stream
    if (stream === null || stream.writableEnded || stream.destroyed) return
    const walker = this.#walker
    walker.walk(part, 0, part.length)
    const ranges = walker.payload ?? []
    for (let index = 0; index < ranges.length; index += 2) {
      stream.write(part.subarray(ranges[index], ranges[index + 1]), this.#onWritten)
    }
    if (walker.done) stream.end()
  }

  pause(): void {
    if (this.#stream === null) return
    this.#paused = true
    this.#stream.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#stream?.resume()
  }

  release(): void {
    // The session goes on by itself.
    this.#sink = null
  }

  abort(): void {
    this.#sink = null
    if (this.#stream === null) {
      this.#session?.leave(this)
      return
    }
    // Whole and not read to its end: Node keeps a stream, and the session counts it, until it is.
    if (this.#stream.closed && this.#stream.rstCode === NGHTTP2_NO_ERROR) this.resume()
    else this.#stream.close(NGHTTP2_CANCEL)
  }

  tunnel(): ByteStream | null {
    return null
  }

  // Private

  /**
   * Node ends the readable side alike for END_STREAM and for a reset with NO_ERROR or CANCEL; only at the moment of
   * `push(null)` is the stream still open in the first case and closed in the second.
   */
  #noteEnd(stream: ClientHttp2Stream): void {
    const push = stream.push.bind(stream)
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null && !stream.closed) this.#whole = true
      return push(chunk, encoding)
    }
  }

  #fail(cause: UpstreamFailure['cause'], error: UpstreamFailure['error'], detail: string, untouched = false): void {
    const sink = this.#sink
    this.abort()
    sink?.onUpstreamFailure({ cause, error, detail, untouched })
  }

  #bad(detail: string): void {
    this.#fail('bad-response', 'http_protocol_error', detail)
  }

  #onInterim(raw: readonly string[]): void {
    const sink = this.#sink
    if (sink === null) return
    const head = parseResponseHead(responseText(raw), sink.method)
    if (typeof head === 'string') this.#bad(head)
    else if (head.status === 101) this.#bad('a switch of protocols, which HTTP/2 does not know')
    else if (++this.#interim > MAX_INTERIM) this.#bad('too many interim answers')
    else sink.onInterim(head)
  }

  #onResponse(request: RequestHead, flags: number, raw: readonly string[]): void {
    const sink = this.#sink
    const stream = this.#stream
    if (sink === null || stream === null) return
    const ended = (flags & NGHTTP2_FLAG_END_STREAM) !== 0
    const text = responseText(raw) + framing(raw, request.method, ended)
    if (text.length > sink.maxHeadBytes) {
      this.#bad('the head of the answer is too long')
      return
    }
    const head = parseResponseHead(text, request.method)
    if (typeof head === 'string') {
      this.#bad(head)
      return
    }
    this.#answer = head
    this.#left = head.length
    sink.onAnswer(head, NOTHING, 0, 0, null, false)
    if (this.#sink !== sink) return
    if (ended) {
      this.#end(sink)
      return
    }
    stream.on('data', (bytes: Buffer) => this.#onData(bytes))
    stream.on('trailers', (_fields: unknown, _flags: number, lines: string[]) => this.#onTrailers(lines))
    stream.on('end', () => this.#onEnd())
  }

  #onData(bytes: Buffer): void {
    const sink = this.#sink
    const head = this.#answer
    if (sink === null || head === null || bytes.length === 0) return
    if (head.body === 'chunked') {
      const part = sink.wantsPayloadOnly ? bytes : chunkOf(bytes)
      sink.onBody(part, 0, part.length, null, false)
      return
    }
    this.#left -= bytes.length
    if (this.#left < 0) this.#bad('more octets than its Content-Length')
    else sink.onBody(bytes, 0, bytes.length, null, false)
  }

  #onTrailers(raw: readonly string[]): void {
    const lines = trailerLines(raw)
    if (lines === null) this.#bad('a field that no trailer may be')
    else this.#trailers = lines
  }

  #onEnd(): void {
    const sink = this.#sink
    // Not whole: 'close' follows.
    if (sink === null || !this.#whole) return
    if (this.#left > 0) this.#bad('fewer octets than its Content-Length')
    else this.#end(sink)
  }

  #end(sink: AnswerSink): void {
    if (this.#answer?.body === 'chunked' && !sink.wantsPayloadOnly) {
      const last = lastChunk(this.#trailers)
      sink.onBody(last, 0, last.length, null, false)
      if (this.#sink !== sink) return
    }
    sink.onAnswerEnd(true, this.#trailers)
  }

  #onClose(): void {
    const stream = this.#stream
    if (this.#sink === null || stream === null) return
    const untouched = this.#session?.isUntouched(stream) ?? false
    if (stream.rstCode === NGHTTP2_PROTOCOL_ERROR) this.#bad('malformed answer')
    else if (untouched) this.#fail('upstream-closed', 'connection_terminated', 'the instance took no request', true)
    else this.#fail('upstream-closed', 'connection_terminated', 'the instance closed before its answer was whole')
  }
}

/** The header block of a request to an instance: as for HTTP/1.1, in the other protocol's shape. */
function requestFields(head: RequestHead, text: string): Http2Fields {
  const fields = noFields()
  fields[':method'] = head.method
  fields[':scheme'] = 'http'
  fields[':path'] = head.target
  addLines(fields, text, text.indexOf('\r\n') + 2)
  fields[':authority'] = fields['host'] ?? ''
  delete fields['host']
  // Trailers are taken from whoever sends them; gRPC asks for this.
  fields['te'] = 'trailers'
  return fields
}

/** An answer's header block as the text of an HTTP/1.1 head without its closing empty line. */
function responseText(raw: readonly string[]): string {
  // The one pseudo-header field, so it is the first (RFC 9113 section 8.3.2); nghttp2 sees to that.
  const status = raw[1] ?? ''
  const lines = linesOf(raw)
  return lines === '' ? `HTTP/1.1 ${status}` : `HTTP/1.1 ${status}\r\n${lines.slice(0, -2)}`
}

/** What HTTP/1.1 has to say about the body where the instance need not: chunked, or none at all. */
function framing(raw: readonly string[], method: string, ended: boolean): string {
  for (let index = 0; index < raw.length; index += 2) if (raw[index] === 'content-length') return ''
  if (!ended) return '\r\ntransfer-encoding: chunked'
  const status = raw[1]
  return method === 'HEAD' || status === '204' || status === '304' ? '' : '\r\ncontent-length: 0'
}

function ignore(): void {
  // 'close' follows every error and is what counts.
}
