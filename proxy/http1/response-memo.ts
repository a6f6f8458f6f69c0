import { parseResponseHead, type ResponseHead } from './response-head.ts'

const REMEMBERED = 4096

/** The answers of one connection often repeat the last head to the octet: such a one is not parsed again. */
export class ResponseMemo {
  #text = ''
  #method = ''
  #head: ResponseHead | null = null

  /** What `parseResponseHead` says. */
  parse(text: string, method: string): ResponseHead | string {
    if (this.#head !== null && text === this.#text && method === this.#method) return this.#head
    const head = parseResponseHead(text, method)
    if (typeof head !== 'string' && text.length <= REMEMBERED) {
      this.#head = head
      this.#text = text
      this.#method = method
    }
    return head
  }
}
