import '../http1/octets.ts'
import { performance } from 'node:perf_hooks'
import type { DataPlaneLimits } from '../../src/contracts/routing.ts'
import { HEAD_END } from '../http1/grammar.ts'
import { isBrokenRequest } from '../http1/partial-head.ts'
import type { Refusal, RequestHead } from '../http1/request-head.ts'
import { RequestMemo } from '../http1/request-memo.ts'

/** Longer first reads are searched for the head's end before they are made a string. */
const LONG_READ = 4096
const LF = 10
const CR = 13

/** The heads of one connection's requests, out of bytes that come in pieces. Times are monotonic milliseconds. */
export class RequestReader {
  /** What there is of a head that is not whole, or was refused; '' between two heads. */
  text = ''
  /** When the last head began to come; 0: none has. */
  since = 0
  /** When it was whole. */
  wholeAt = 0
  /** Where in the bytes read last its body begins. */
  bodyStart = 0
  readonly #memo = new RequestMemo()

  /** Reads on in `bytes[start, end)`. Null: the head is not whole. After a refusal nothing more can be read. */
  read(bytes: Buffer, start: number, end: number, limits: DataPlaneLimits): RequestHead | Refusal | null {
    let from = start
    // RFC 9112 section 2.2: empty lines before a request are skipped; one may be cut in two.
    if (this.text === '\r' && bytes[from] === LF) {
      this.text = ''
      from++
    }
    if (this.text === '') {
      while (from + 1 < end && bytes[from] === CR && bytes[from + 1] === LF) from += 2
      if (from === end) return null
      this.since = performance.now()
    }
    const before = this.text.length
    if (before === 0 && end - from > LONG_READ) {
      const found = bytes.indexOf(HEAD_END, from, 'latin1')
      this.text = bytes.latin1Slice(from, found === -1 || found + 4 > end ? end : found + 4)
    } else {
      this.text += bytes.latin1Slice(from, end)
    }
    const { text } = this
    const headEnd = text.indexOf(HEAD_END, Math.max(0, before - 3))
    if (headEnd === -1 || headEnd > limits.maxHeadBytes) return this.#refusal(limits.maxHeadBytes, before)
    const head = this.#memo.parse(text.slice(0, headEnd), limits.maxHeaders)
    if ('status' in head) return head
    this.text = ''
    this.wholeAt = before === 0 ? this.since : performance.now()
    this.bodyStart = from - before + headEnd + 4
    return head
  }

  /** Why what there is can be no head any more; null if it can. */
  #refusal(maxHeadBytes: number, before: number): Refusal | null {
    const { text } = this
    if (text.length > maxHeadBytes) {
      const line = text.indexOf('\r\n')
      return line === -1 || line > maxHeadBytes
        ? { status: 414, detail: 'the target is too long', close: true }
        : { status: 431, detail: 'the head is too long', close: true }
    }
    return isBrokenRequest(text, before) ? { status: 400, detail: 'malformed request', close: true } : null
  }
}
