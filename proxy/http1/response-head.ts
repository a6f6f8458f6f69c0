import { listElements, nameFilter, namedByConnection, withoutBlanks, withoutFields } from './field-lines.ts'
import { DIGITS, RESPONSE_HEAD } from './grammar.ts'

/** An answer's head that keeps to RFC 9112, taken apart as far as forwarding needs. */
export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /** `close`: the body ends with the connection. */
  readonly body: 'none' | 'length' | 'chunked' | 'close'
  readonly length: number
  /** The instance lets the connection stay open. */
  readonly keepAlive: boolean
  /** `timeout` of `Keep-Alive` in milliseconds, or null. */
  readonly keepAliveMs: number | null
  /** Value of `Upgrade`, lower-case, or null. */
  readonly upgrade: string | null
  /** It has a `Date`. */
  readonly dated: boolean
  /** The usual text of the head as a client gets it, once it was made; else ''. */
  text: string
  /** Field lines to forward, each with CRLF; with Content-Length, without Transfer-Encoding and hop-by-hop fields. */
  readonly fields: string
}

const SPECIAL = nameFilter([
  'date',
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'upgrade',
  'te',
  'proxy-connection',
  'proxy-authenticate',
])
/** An instance is trusted with more fields than a client, but not without end. */
const MAX_FIELDS = 1000
const KEEP_ALIVE_TIMEOUT = /(?:^|[,\s])timeout=(\d{1,6})/i

/** What an answer's head says, or in words which rule it broke. `text` has no closing empty line. */
export function parseResponseHead(text: string, method: string): ResponseHead | string {
  const match = RESPONSE_HEAD.exec(text)
  if (match === null) return 'malformed answer'
  const status = Number(match[2])
  const http10 = match[1] === '0'

  let fields = ''
  let dated = false
  let kept = text.indexOf('\r\n') + 2
  let connection = ''
  let length: string | null = null
  let coding: string | null = null
  let keepAliveMs: number | null = null
  let upgrade: string | null = null
  let count = 0

  for (let at = kept; at > 1 && at < text.length;) {
    if (++count > MAX_FIELDS) return 'too many fields'
    const colon = text.indexOf(':', at)
    const lineEnd = text.indexOf('\r\n', colon)
    const end = lineEnd === -1 ? text.length : lineEnd
    const name = SPECIAL(text, at, colon)
    if (name === 'date') dated = true
    else if (name !== null) {
      fields += text.slice(kept, at)
      kept = end + 2
      const value = withoutBlanks(text, colon + 1, end)
      switch (name) {
        case 'connection':
          connection = connection === '' ? value : `${connection},${value}`
          break
        case 'content-length':
          if (length !== null) return 'more than one Content-Length'
          if (!DIGITS.test(value)) return 'invalid Content-Length'
          length = value
          break
        case 'transfer-encoding':
          if (coding !== null || value.toLowerCase() !== 'chunked') return 'unknown transfer coding'
          coding = value
          break
        case 'keep-alive': {
          const timeout = KEEP_ALIVE_TIMEOUT.exec(value)
          if (timeout !== null) keepAliveMs = Number(timeout[1]) * 1000
          break
        }
        case 'upgrade':
          upgrade = value.toLowerCase()
          break
        default:
      }
    }
    at = end + 2
  }
  if (kept < text.length && kept > 1) fields += `${text.slice(kept)}\r\n`

  if (coding !== null && length !== null) return 'both Content-Length and Transfer-Encoding'
  if (coding !== null && http10) return 'Transfer-Encoding in HTTP/1.0'

  let keepAlive = !http10
  if (connection === 'keep-alive') keepAlive = true
  else if (connection === 'close') keepAlive = false
  else if (connection !== '') {
    const elements = listElements(connection)
    if (elements.includes('close')) keepAlive = false
    else if (http10) keepAlive = elements.includes('keep-alive')
    const named = namedByConnection(elements)
    if (named !== null) fields = withoutFields(fields, named)
  }

  // RFC 9112 section 6.3, in its order.
  let body: ResponseHead['body']
  if (status < 200 || status === 204 || status === 304 || method === 'HEAD') body = 'none'
  else if (coding !== null) body = 'chunked'
  else if (length !== null) body = Number(length) > 0 ? 'length' : 'none'
  else body = 'close'
  if (body === 'close') keepAlive = false
  if (length !== null && status >= 200 && status !== 204) fields += `Content-Length: ${Number(length)}\r\n`

  return {
    status,
    reason: match[3] ?? '',
    body,
    length: body === 'length' ? Number(length) : 0,
    keepAlive,
    keepAliveMs,
    upgrade,
    dated,
    text: '',
    fields,
  }
}
