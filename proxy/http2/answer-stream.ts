import type { ServerHttp2Stream } from 'node:http2'
import type { ExposedInstance } from '../http1/forwarded-answer.ts'
import { dateText } from '../http1/date.ts'
import { ownAnswerText, type OwnAnswer } from '../http1/own-answer.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import { addLines, noFields } from './fields.ts'
import { PER_FRAME } from './flood-guard.ts'

/** Whose answer it is. */
export interface Answering {
  /** Octets that served a request. */
  earn(octets: number): void
  /** All that was written has left this process. */
  onTaken(): void
  /** All of the answer was given to Node, its trailers too. */
  onAnswerGiven(): void
}

/** The answer on one stream of a client's HTTP/2 connection. */
export class AnswerStream {
  readonly #stream: ServerHttp2Stream
  readonly #owner: Answering
  /** It has no body, or its end was sent with its head. */
  #bodiless = false
  /** The end is sent with trailers, perhaps none, and only if the answer became whole. */
  #awaitsTrailers = false
  #trailers = ''
  readonly #onWritten = (error?: Error | null): void => {
    if (error == null && this.#stream.writableLength === 0) this.#owner.onTaken()
  }

  constructor(stream: ServerHttp2Stream, owner: Answering) {
    this.#stream = stream
    this.#owner = owner
  }

  get isOver(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  interim(head: ResponseHead): void {
    if (this.isOver) return
    const fields = addLines(noFields(), head.fields)
    this.#stream.additionalHeaders({ ...fields, ':status': head.status })
  }

  /** The head with the first part of the body, `bytes[start, end)`; `payload` as in BodyWalker, `volatile` as in ByteStream. */
  begin(
    head: ResponseHead,
    exposed: ExposedInstance | null,
    bytes: Buffer,
    start: number,
    end: number,
    payload: readonly number[] | null,
    volatile: boolean,
  ): void {
    if (this.isOver) return
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
    if (this.#bodiless || this.isOver) return
    if (payload === null || payload.length === 2) {
      const from = payload?.[0] ?? start
      const to = payload?.[1] ?? end
      if (to <= from) return
      const part = bytes.subarray(from, to)
      this.#write(volatile ? Buffer.from(part) : part)
    } else if (payload.length > 0) this.#write(joined(bytes, payload))
  }

  /** It is whole; `trailers`: its trailer section, each line with CRLF. */
  end(trailers: string): void {
    this.#trailers = trailers
    this.#finish()
  }

  /** An answer of the proxy's own. */
  own(answer: OwnAnswer): void {
    if (this.isOver) return
    // Node has ended it for HEAD.
    const noBody = this.#stream.writableEnded
    const text = ownAnswerText(answer, { close: false, noBody })
    const headEnd = text.indexOf('\r\n\r\n')
    const fields = addLines(noFields(), text.slice(0, headEnd + 2), text.indexOf('\r\n') + 2)
    this.#respond(answer.status, fields, noBody)
    if (!this.#bodiless) this.#stream.write(text.slice(headEnd + 4), 'latin1', this.#onWritten)
    this.#finish()
  }

  // Private

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
    setImmediate(() => this.#owner.onAnswerGiven())
  }

  #finish(): void {
    if (this.isOver) return
    if (!this.#bodiless) this.#stream.end()
    if (!this.#awaitsTrailers || this.#bodiless) this.#owner.onAnswerGiven()
  }
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
