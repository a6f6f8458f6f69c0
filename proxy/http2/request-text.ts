import type { Refusal } from '../http1/request-head.ts'
import { COLON } from './fields.ts'

const NEEDS_LENGTH: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

function refuse(status: number, detail: string): Refusal {
  return { status, detail, close: false }
}

/**
 * A header block as the text of an HTTP/1.1 head without its closing empty line, to be parsed and judged as one. What
 * RFC 9113 section 8 says of pseudo-header fields, letter case and fields of one hop, nghttp2 has checked already; the
 * rest is checked here. `raw`: names and values in turn. `ended`: no body follows.
 */
export function requestText(raw: readonly string[], ended: boolean): string | Refusal {
  let method = ''
  let path = ''
  let scheme = ''
  let authority = ''
  let host = ''
  let cookie = ''
  let length = false
  let lines = ''
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? ''
    const value = raw[index + 1] ?? ''
    if (name.charCodeAt(0) === COLON) {
      if (name === ':method') method = value
      else if (name === ':path') path = value
      else if (name === ':scheme') scheme = value
      else if (name === ':authority') authority = value
    } else if (name === 'cookie') {
      // RFC 9113 section 8.2.3: crumbs are one field again before they leave HTTP/2.
      cookie = cookie === '' ? value : `${cookie}; ${value}`
    } else if (name === 'host') {
      host = value
    } else {
      if (name === 'content-length') length = true
      lines += `\r\n${name}: ${value}`
    }
  }
  if (method === 'CONNECT') return refuse(405, 'CONNECT is not served here')
  if (scheme !== 'http' && scheme !== 'https') return refuse(400, 'unknown scheme')
  // An absolute form would stand in for the authority.
  if (!path.startsWith('/') && path !== '*') return refuse(400, 'invalid target')
  if (host !== '' && authority !== '' && host.toLowerCase() !== authority.toLowerCase()) {
    return refuse(400, 'Host differs from :authority')
  }
  if (cookie !== '') lines += `\r\ncookie: ${cookie}`
  if (!length) {
    if (!ended) lines += '\r\ntransfer-encoding: chunked'
    // RFC 9110 section 8.6: an empty body of a method that has one is told.
    else if (NEEDS_LENGTH.has(method)) lines += '\r\ncontent-length: 0'
  }
  return `${method} ${path} HTTP/1.1\r\nhost: ${authority === '' ? host : authority}${lines}`
}
