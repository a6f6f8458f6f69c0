import '../http1/octets.ts'
import type { ByteStream } from '../connections/byte-stream.ts'
import { interimHeadText, responseHeadText, type ExposedInstance } from '../http1/forwarded-answer.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'

/** First parts of bodies up to this size become a part of the head's text. */
const SMALL = 1024

/** Writes instances' answers on to a client that speaks HTTP/1.1: heads made anew, bodies as they come. One per connection. */
export class AnswerWriter {
  /** The present answer is the last on its connection. */
  close = false
  readonly #client: ByteStream
  #http10 = false
  #keepAlive = true

  constructor(client: ByteStream) {
    this.#client = client
  }

  /** The next answer is to this request. */
  expect(request: RequestHead): void {
    this.close = false
    this.#http10 = request.http10
    this.#keepAlive = request.keepAlive
  }

  interim(head: ResponseHead): void {
    if (!this.#http10) this.#client.write(interimHeadText(head))
  }

  /** The head with the first part of the body, `bytes[start, end)`; `payload` as in BodyWalker. */
  begin(
    head: ResponseHead,
    last: boolean,
    exposed: ExposedInstance | null,
    bytes: Buffer,
    start: number,
    end: number,
    payload: readonly number[] | null,
    volatile: boolean,
  ): void {
    const http10 = this.#http10
    this.close = last || !this.#keepAlive || head.body === 'close' || (http10 && head.body === 'chunked')
    const text = this.#headText(head, exposed)
    if (payload === null && end - start <= SMALL) {
      this.#client.write(start === end ? text : text + bytes.latin1Slice(start, end))
    } else if (payload === null && volatile) {
      this.#client.writeJoined(text, bytes.subarray(start, end))
    } else {
      this.#client.write(text)
      this.body(bytes, start, end, payload, volatile)
    }
  }

  /** An answer remembered from the one before it has its text already. */
  #headText(head: ResponseHead, exposed: ExposedInstance | null): string {
    const usual = !this.#http10 && !this.close && exposed === null && head.dated
    if (usual && head.text !== '') return head.text
    const text = responseHeadText(head, { http10: this.#http10, close: this.close, exposed })
    if (usual) head.text = text
    return text
  }

  body(bytes: Buffer, start: number, end: number, payload: readonly number[] | null, volatile: boolean): void {
    if (payload === null) {
      const part = bytes.subarray(start, end)
      if (end > start) this.#client.write(volatile ? Buffer.from(part) : part)
      return
    }
    for (let index = 0; index < payload.length; index += 2) {
      this.#client.write(Buffer.from(bytes.subarray(payload[index], payload[index + 1])))
    }
  }
}
