import { ORIGIN_FORM, REQUEST_LINE } from './grammar.ts'
import { parseRequestHead, type Refusal, type RequestHead } from './request-head.ts'

/** Longer heads are not remembered: an idle connection is to cost little memory. */
const REMEMBERED = 4096
/** What these ask for depends on more than their fields. */
const APART: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'OPTIONS'])

/**
 * The requests of one connection mostly repeat their fields to the octet: those that do are not parsed again. Everything
 * that parseRequestHead says, save method and target, follows from version and fields alone.
 */
export class RequestMemo {
  /** From the version of the request line on, as received. */
  #rest = ''
  #maxHeaders = 0
  #head: RequestHead | null = null

  /** What `parseRequestHead` says. */
  parse(text: string, maxHeaders: number): RequestHead | Refusal {
    const line = text.indexOf('\r\n')
    const known = this.#head
    if (known !== null && text.length - line + 8 === this.#rest.length && maxHeaders === this.#maxHeaders) {
      const match = REQUEST_LINE.exec(text.slice(0, line - 8))
      if (match !== null && text.slice(line - 8) === this.#rest) {
        const method = match[1] ?? ''
        const target = match[2] ?? ''
        if (!APART.has(method) && ORIGIN_FORM.test(target)) return { ...known, method, target }
      }
    }
    const head = parseRequestHead(text, maxHeaders)
    const plain = !('status' in head) && line > 8 && text.length <= REMEMBERED
    if (plain && !APART.has(head.method) && text.startsWith(` ${head.target} `, head.method.length)) {
      this.#head = head
      this.#rest = text.slice(line - 8)
      this.#maxHeaders = maxHeaders
    }
    return head
  }
}
