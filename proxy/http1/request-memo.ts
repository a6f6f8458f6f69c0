import { ORIGIN_FORM, REQUEST_LINE } from './grammar.ts'
import { parseRequestHead, type Refusal, type RequestHead } from './request-head.ts'

/** Longer heads are not remembered: an idle connection is to cost little memory. */
const REMEMBERED = 4096
/** What these ask for depends on more than their fields. */
const APART: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'OPTIONS'])

/**
 * The requests of one connection mostly repeat their fields to the octet, some repeat the whole head: those that do are not
 * parsed again. Everything that parseRequestHead says, save method and target, follows from version and fields alone.
 */
export class RequestMemo {
  /** The whole head, as received. */
  #text = ''
  /** From the version of the request line on, as received. */
  #rest = ''
  #maxHeaders = 0
  #head: RequestHead | null = null

  /** What `parseRequestHead` says. */
  parse(text: string, maxHeaders: number): RequestHead | Refusal {
    const known = this.#head
    if (known !== null && maxHeaders === this.#maxHeaders) {
      if (text === this.#text) return known
      const head = this.#withFieldsOf(known, text)
      if (head !== null) return head
    }
    const head = parseRequestHead(text, maxHeaders)
    const line = text.indexOf('\r\n')
    const plain = !('status' in head) && line > 8 && text.length <= REMEMBERED
    if (plain && !APART.has(head.method) && text.startsWith(` ${head.target} `, head.method.length)) {
      this.#text = text
      this.#head = head
      this.#rest = text.slice(line - 8)
      this.#maxHeaders = maxHeaders
    }
    return head
  }

  /** Null: it has other fields, or something in its line that is to be looked at as a whole. */
  #withFieldsOf(known: RequestHead, text: string): RequestHead | null {
    const start = text.length - this.#rest.length
    if (start <= 0 || text.slice(start) !== this.#rest) return null
    const line = text.slice(0, start)
    if (!REQUEST_LINE.test(line)) return null
    const space = line.indexOf(' ')
    const method = line.slice(0, space)
    const target = line.slice(space + 1, -1)
    if (APART.has(method) || !ORIGIN_FORM.test(target)) return null
    // Not remembered in its turn: what every request leaves behind would not be collected while it is young.
    return { ...known, method, target }
  }
}
