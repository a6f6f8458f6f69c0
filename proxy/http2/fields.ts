import { withoutBlanks } from '../http1/field-lines.ts'
import { FORBIDDEN_TRAILER, TRAILER_LINE } from '../http1/grammar.ts'

/** Header fields as `node:http2` takes them. */
export type Http2Fields = Record<string, string | string[]>

/** Fields of one hop that HTTP/2 does not know (RFC 9113 section 8.2.2): `node:http2` throws on some of them. */
const HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'te',
])

/** Kept apart: a value of these may hold a comma of its own. Others are joined (RFC 9110 section 5.3). */
const APART: ReadonlySet<string> = new Set(['set-cookie', 'www-authenticate'])

/** Adds field lines of HTTP/1.1 (each with CRLF, from `at` on) to `fields`: names in lower case, values trimmed. */
export function addLines(fields: Http2Fields, lines: string, at = 0): Http2Fields {
  for (let start = at; start < lines.length;) {
    const end = lines.indexOf('\r\n', start)
    if (end <= start) break
    const colon = lines.indexOf(':', start)
    const name = lines.slice(start, colon).toLowerCase()
    // One space after the colon and none before the end is what nearly every line has.
    const value = withoutBlanks(lines, colon + 1, end)
    start = end + 2
    if (HOP.has(name)) continue
    const earlier = fields[name]
    if (earlier === undefined) fields[name] = value
    else if (typeof earlier !== 'string') earlier.push(value)
    else if (APART.has(name)) fields[name] = [earlier, value]
    else fields[name] = name === 'cookie' ? `${earlier}; ${value}` : `${earlier}, ${value}`
  }
  return fields
}

/** A fresh set of fields; without a prototype, so that a field may have any name. */
export function noFields(): Http2Fields {
  // Object.create is typed `any`.
  return Object.create(null) as Http2Fields
}

/** A list of names and values in turn, as lines of HTTP/1.1, each with CRLF; pseudo-header fields left out. */
export function linesOf(raw: readonly string[]): string {
  let lines = ''
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? ''
    if (name.charCodeAt(0) !== COLON) lines += `${name}: ${raw[index + 1] ?? ''}\r\n`
  }
  return lines
}

export const COLON = 58

/** A trailer section as lines; null if it has what a trailer section may not have. */
export function trailerLines(raw: readonly string[]): string | null {
  const lines = linesOf(raw)
  for (let start = 0; start < lines.length;) {
    const end = lines.indexOf('\r\n', start) + 2
    const line = lines.slice(start, end)
    if (!TRAILER_LINE.test(line) || FORBIDDEN_TRAILER.test(line)) return null
    start = end
  }
  return lines
}

const CRLF = Buffer.from('\r\n', 'latin1')

/** Payload as one chunk of HTTP/1.1. */
export function chunkOf(payload: Buffer): Buffer {
  const size = `${payload.length.toString(16)}\r\n`
  const framed = Buffer.allocUnsafe(size.length + payload.length + 2)
  framed.latin1Write(size, 0)
  payload.copy(framed, size.length)
  CRLF.copy(framed, size.length + payload.length)
  return framed
}

/** The end of a chunked body; `trailers`: lines, each with CRLF. */
export function lastChunk(trailers: string): Buffer {
  return Buffer.from(`0\r\n${trailers}\r\n`, 'latin1')
}
