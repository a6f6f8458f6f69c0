import '../http1/octets.ts'
import type { ByteStream } from '../connections/byte-stream.ts'
import { interimHeadText, responseHeadText, type ExposedInstance } from '../http1/forwarded-head.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import type { Caller } from './caller.ts'

/** Bodies up to this size are written in one piece with their head. */
const JOINED = 16 * 1024

/** Writes an instance's answer on to the client: its head made anew, its body as it comes. */
export class AnswerWriter {
  /** It is the last answer on its connection. */
  close = false
  readonly #caller: Caller
  readonly #request: RequestHead

  constructor(caller: Caller, request: RequestHead) {
    this.#caller = caller
    this.#request = request
  }

  interim(head: ResponseHead): void {
    if (!this.#request.http10) this.#caller.stream.write(interimHeadText(head))
  }

  /** `last`: the connection ends with it for a reason that neither head gives. */
  head(head: ResponseHead, options: { last: boolean; exposed: ExposedInstance | null }): string {
    const { http10, keepAlive } = this.#request
    this.close = options.last || !keepAlive || head.body === 'close' || (http10 && head.body === 'chunked')
    return responseHeadText(head, { http10, close: this.close, exposed: options.exposed })
  }

  /** The head's text with the first part of the body, `bytes[start, end)`; `payload` as in BodyWalker. */
  first(
    text: string,
    from: ByteStream | null,
    bytes: Buffer,
    start: number,
    end: number,
    payload: readonly number[] | null,
  ): void {
    const client = this.#caller.stream
    if (payload === null && end - start <= JOINED) {
      client.write(start === end ? text : text + bytes.latin1Slice(start, end))
    } else {
      client.write(text)
      this.body(from, bytes, start, end, payload)
    }
  }

  /** A part of the body, read from `from`. */
  body(from: ByteStream | null, bytes: Buffer, start: number, end: number, payload: readonly number[] | null): void {
    const client = this.#caller.stream
    if (payload === null) {
      const part = bytes.subarray(start, end)
      if (end > start) client.write((from?.volatile ?? true) ? Buffer.from(part) : part)
      return
    }
    for (let index = 0; index < payload.length; index += 2) {
      client.write(Buffer.from(bytes.subarray(payload[index], payload[index + 1])))
    }
  }
}
