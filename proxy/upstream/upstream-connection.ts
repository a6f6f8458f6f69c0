import '../http1/octets.ts'
import type { ByteHandler, ByteStream } from '../connections/byte-stream.ts'
import { dial } from '../connections/dial.ts'
import { BodyWalker } from '../http1/body-walker.ts'
import { HEAD_END } from '../http1/grammar.ts'
import { isBrokenResponse } from '../http1/partial-head.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import { ResponseMemo } from '../http1/response-memo.ts'
import type { Retirable } from '../routing/idle-list.ts'
import type { TargetState } from '../routing/target.ts'
import type { AnswerSink, UpstreamFailure } from './answer-sink.ts'
import type { Upstream } from './upstream.ts'

/** An idle connection is retired after this, before an instance's usual 5 s would close it under a POST. */
const IDLE_MS = 4000
/** Closed this long before the instance's own `Keep-Alive: timeout`. */
const MARGIN_MS = 1000
/** Interim answers (1xx) to one request. */
const MAX_INTERIM = 100
/** Longer first reads are searched for the head's end before they are made a string. */
const LONG_READ = 4096

/** A connection to an instance, speaking HTTP/1.1; serves one request at a time. */
export class UpstreamConnection implements ByteHandler, Retirable, Upstream {
  readonly target: TargetState
  retireAt = Infinity
  readonly #stream: ByteStream
  #sink: AnswerSink | null
  #state: 'dialling' | 'idle' | 'head' | 'body' = 'dialling'
  #text = ''
  #interim = 0
  #keepAlive = false
  #untilClose = false
  #keepAliveMs: number | null = null
  #ended = false
  readonly #memo = new ResponseMemo()
  readonly #walker = new BodyWalker()

  /** Dials for `sink`, which is told by `onConnected` or `onConnectFailed`. */
  constructor(target: TargetState, sink: AnswerSink) {
    this.target = target
    this.#sink = sink
    this.#stream = dial(target.host, target.port, this, {
      onOpen: () => {
        if (this.#sink === null) this.#stream.destroy()
        else this.#sink.onConnected()
      },
      onFail: error => {
        const waiting = this.#sink
        this.#sink = null
        waiting?.onConnectFailed(error)
      },
    })
  }

  begin(sink: AnswerSink, _head: RequestHead, text: string, initial: string, lent: Buffer | null): boolean {
    this.#sink = sink
    this.#state = 'head'
    this.#text = ''
    this.#interim = 0
    // What was said before the request was taken is no answer; what is said while its body is on its way is one.
    this.#stream.readsAfterCut = false
    if (lent === null) this.#stream.write(initial === '' ? text : text + initial)
    else this.#stream.writeJoined(text, lent)
    this.#stream.readsAfterCut = true
    if (!this.#stream.destroyed) return true
    // A write that fails at once has sent nothing: the instance had closed an idle connection.
    queueMicrotask(() => this.#fail('upstream-closed', 'connection_terminated', 'the connection was closed', true))
    return false
  }

  get pending(): number {
    return this.#stream.pending
  }

  get untaken(): number {
    return this.#stream.untaken
  }

  write(part: Buffer): void {
    this.#stream.write(part)
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  tunnel(): ByteStream {
    return this.#stream
  }

  /** Still to be relied on, at `now`. */
  isFresh(now: number): boolean {
    if (this.retireAt <= now || this.#stream.destroyed) return false
    this.retireAt = Infinity
    return true
  }

  /** The request is over and the connection free: keep it for the next one, unless its target is on its way out. */
  release(now: number, unsent: boolean): void {
    this.#stream.useSharedBuffer(unsent)
    this.#sink = null
    this.#state = 'idle'
    const idleMs = this.#keepAliveMs === null ? IDLE_MS : Math.min(IDLE_MS, this.#keepAliveMs - MARGIN_MS)
    if (this.target.state !== 'in' || idleMs <= 0 || this.#ended || this.#stream.destroyed) {
      this.retire()
      return
    }
    this.retireAt = now + idleMs
    this.#stream.resume()
    this.target.idle.push(this)
  }

  /** Closes it; only while idle, so with nothing to send that it could cut off. */
  retire(): void {
    this.#sink = null
    this.#stream.destroy()
  }

  /** The request is over before its answer: whatever the instance still does, nobody waits for it. */
  abort(): void {
    this.#sink = null
    this.#stream.destroy()
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.#sink === null || this.#state === 'idle') {
      // RFC 9112 section 9.2: octets nobody asked for are no answer.
      this.#drop()
    } else if (this.#state === 'body') {
      this.#onBody(this.#sink, bytes, start, end)
    } else {
      this.#onHeadBytes(this.#sink, bytes, start, end)
    }
  }

  onEnd(): void {
    this.#ended = true
    const sink = this.#sink
    if (sink === null) {
      this.#drop()
    } else if (this.#state === 'body' && this.#untilClose) {
      sink.onAnswerEnd(false, '')
    } else {
      this.#fail('upstream-closed', 'connection_terminated', 'the instance closed before its answer was whole')
    }
  }

  onDrain(): void {
    this.#sink?.onUpstreamDrain()
  }

  onClose(): void {
    this.target.idle.delete(this)
    if (this.#sink !== null && this.#state !== 'dialling') {
      this.#fail('upstream-closed', 'connection_terminated', 'the connection to the instance was cut')
    }
  }

  #drop(): void {
    this.#sink = null
    this.#stream.destroy()
  }

  #fail(cause: UpstreamFailure['cause'], error: UpstreamFailure['error'], detail: string, untouched = false): void {
    const sink = this.#sink
    this.#drop()
    sink?.onUpstreamFailure({ cause, error, detail, untouched })
  }

  #onHeadBytes(sink: AnswerSink, bytes: Buffer, start: number, end: number): void {
    const before = this.#text.length
    if (before === 0 && end - start > LONG_READ) {
      const found = bytes.indexOf(HEAD_END, start, 'latin1')
      this.#text = bytes.latin1Slice(start, found === -1 || found + 4 > end ? end : found + 4)
    } else {
      this.#text += bytes.latin1Slice(start, end)
    }
    // Where in `bytes` the text begins (before it, if part of it came with an earlier read), and where to look on from.
    let at = start - before
    let from = Math.max(0, before - 3)
    let known = before
    for (;;) {
      const headEnd = this.#text.indexOf(HEAD_END, from)
      if (headEnd === -1 || headEnd > sink.maxHeadBytes) {
        if (this.#text.length > sink.maxHeadBytes) {
          this.#fail('bad-response', 'http_protocol_error', 'the head of the answer is too long')
        } else if (isBrokenResponse(this.#text, known)) {
          this.#fail('bad-response', 'http_protocol_error', 'malformed answer')
        }
        return
      }
      const head = this.#memo.parse(this.#text.slice(0, headEnd), sink.method)
      if (typeof head === 'string') {
        this.#fail('bad-response', 'http_protocol_error', head)
        return
      }
      const bodyStart = at + headEnd + 4
      if (head.status === 101) {
        if (!sink.mayUpgrade) {
          this.#fail('bad-response', 'http_protocol_error', 'a switch of protocols nobody asked for')
          return
        }
        this.#sink = null
        sink.onSwitch(head, bytes, bodyStart, end)
        return
      }
      if (head.status >= 200) {
        this.#onFinalHead(sink, head, bytes, bodyStart, end)
        return
      }
      if (++this.#interim > MAX_INTERIM) {
        this.#fail('bad-response', 'http_protocol_error', 'too many interim answers')
        return
      }
      sink.onInterim(head)
      if (this.#sink !== sink) return
      // What follows an interim answer, in this same read.
      this.#text = bytes.latin1Slice(bodyStart, end)
      at = bodyStart
      from = 0
      known = 0
      if (this.#text === '') return
    }
  }

  #onFinalHead(sink: AnswerSink, head: ResponseHead, bytes: Buffer, start: number, end: number): void {
    this.#text = ''
    this.#state = 'body'
    this.#keepAlive = head.keepAlive
    this.#keepAliveMs = head.keepAliveMs
    this.#untilClose = head.body === 'close'
    const walker = this.#walker
    walker.start(head.body, head.length)
    if (sink.wantsPayloadOnly && head.body === 'chunked') walker.payload = []
    const bodyEnd = walker.walk(bytes, start, end)
    sink.onAnswer(head, bytes, start, bodyEnd, walker.payload, this.#stream.volatile)
    // Only after these bytes were used: they are in shared memory, and `volatile` said so.
    if (!walker.done && this.#sink === sink) this.#stream.usePrivateBuffer()
    this.#afterWalk(sink, bodyEnd < end)
  }

  #onBody(sink: AnswerSink, bytes: Buffer, start: number, end: number): void {
    const bodyEnd = this.#walker.walk(bytes, start, end)
    if (bodyEnd > start) sink.onBody(bytes, start, bodyEnd, this.#walker.payload, this.#stream.volatile)
    this.#afterWalk(sink, bodyEnd < end)
  }

  #afterWalk(sink: AnswerSink, extra: boolean): void {
    if (this.#sink !== sink) return
    if (this.#walker.failed) this.#fail('bad-response', 'http_protocol_error', 'broken chunked framing')
    // More octets than the answer has: the connection cannot be relied on, the answer itself is whole.
    else if (this.#walker.done) sink.onAnswerEnd(this.#keepAlive && !extra, this.#walker.trailers)
  }
}
