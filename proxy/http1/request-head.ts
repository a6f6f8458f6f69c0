import { isIPv6 } from 'node:net'
import {
  listElements,
  nameFilter,
  namedByConnection,
  UNDERSCORED,
  withoutBlanks,
  withoutFields,
} from './field-lines.ts'
import { ABSOLUTE_FORM, DIGITS, HOST, ORIGIN_FORM, REQUEST_HEAD } from './grammar.ts'

/** A request head that keeps to RFC 9112, taken apart as far as forwarding needs. */
export interface RequestHead {
  readonly method: string
  /** Origin form, or `*`. */
  readonly target: string
  /** Value of `Host`, or the authority of an absolute-form target; empty only in HTTP/1.0. */
  readonly host: string
  /** Lower-case, without port and trailing dot. */
  readonly hostName: string
  readonly http10: boolean
  /** Of the version it came in, as `Via` tells it. */
  readonly minorVersion: string
  /** The client lets the connection stay open after the answer. */
  readonly keepAlive: boolean
  readonly body: 'none' | 'length' | 'chunked'
  readonly length: number
  readonly expectContinue: boolean
  /** Value of `Upgrade` where a tunnel may come of it, else null. */
  readonly upgrade: string | null
  /** Field lines to forward, each with CRLF: no hop-by-hop fields, no `Host`, none that tell who came before. */
  readonly fields: string
  /** What a proxy before this one said; to be used only if the peer is trusted. */
  readonly before: Readonly<Record<string, string>> | null
}

/** Why a request is answered by the proxy itself; `close`: the connection's framing can no longer be relied on. */
export interface Refusal {
  readonly status: number
  readonly detail: string
  readonly close: boolean
}

const SPECIAL = nameFilter([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'expect',
  'upgrade',
  'te',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'http2-settings',
  'max-forwards',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-forwarded-by',
  'x-forwarded-client-cert',
  'x-real-ip',
  'x-request-id',
  'traceparent',
  'tracestate',
])

/** One protocol, perhaps with a version; never HTTP/2 or TLS, within which requests could hide (RFC 9110 section 7.8). */
const UPGRADE = /^(?!h2|http|tls)[\w.-]+(?:\/[\w.-]+)?$/i

function refuse(status: number, detail: string): Refusal {
  return { status, detail, close: true }
}

/** What a request head says. A refusal names the rule that was broken. `text` has no closing empty line. */
export function parseRequestHead(text: string, maxHeaders: number): RequestHead | Refusal {
  const match = REQUEST_HEAD.exec(text)
  if (match === null) return refuse(400, 'malformed request')
  const method = match[1] ?? ''
  const minorVersion = match[3] ?? ''
  const http10 = minorVersion === '0'

  let fields = ''
  let kept = text.indexOf('\r\n') + 2
  let host: string | null = null
  let connection = ''
  let length: string | null = null
  let coding: string | null = null
  let expect: string | null = null
  let upgrade: string | null = null
  let maxForwards: string | null = null
  let before: Record<string, string> | null = null
  let count = 0

  for (let at = kept; at > 1 && at < text.length;) {
    if (++count > maxHeaders) return refuse(431, 'too many fields')
    const colon = text.indexOf(':', at)
    const lineEnd = text.indexOf('\r\n', colon)
    const end = lineEnd === -1 ? text.length : lineEnd
    const name = SPECIAL(text, at, colon)
    // RFC 9110 section 7.6.2: no other method has to heed it.
    if (name !== null && (name !== 'max-forwards' || method === 'OPTIONS')) {
      fields += text.slice(kept, at)
      kept = end + 2
      const value = withoutBlanks(text, colon + 1, end)
      switch (name) {
        case 'host':
          if (host !== null) return refuse(400, 'more than one Host')
          host = value
          break
        case 'connection':
          connection = connection === '' ? value : `${connection},${value}`
          break
        case 'content-length':
          if (length !== null) return refuse(400, 'more than one Content-Length')
          if (!DIGITS.test(value)) return refuse(400, 'invalid Content-Length')
          length = value
          break
        case 'transfer-encoding':
          if (coding !== null) return refuse(400, 'more than one Transfer-Encoding')
          coding = value.toLowerCase()
          break
        case 'expect':
          if (expect !== null) return refuse(417, 'more than one Expect')
          expect = value.toLowerCase()
          break
        case 'upgrade':
          upgrade = upgrade === null ? value : `${upgrade}, ${value}`
          break
        case 'max-forwards':
          if (maxForwards !== null || !DIGITS.test(value)) return refuse(400, 'invalid Max-Forwards')
          maxForwards = value
          break
        case UNDERSCORED:
        case 'te':
        case 'keep-alive':
        case 'proxy-connection':
        case 'proxy-authenticate':
        case 'proxy-authorization':
        case 'http2-settings':
          break
        default: {
          before ??= {}
          const earlier = before[name]
          before[name] = earlier === undefined ? value : `${earlier}, ${value}`
        }
      }
    }
    at = end + 2
  }
  if (kept < text.length && kept > 1) fields += `${text.slice(kept)}\r\n`

  if (coding !== null) {
    if (length !== null) return refuse(400, 'both Content-Length and Transfer-Encoding')
    if (http10) return refuse(400, 'Transfer-Encoding in HTTP/1.0')
    if (coding !== 'chunked') {
      // RFC 9112 section 6.3: without chunked at the end there is no length; an unknown coding before it is 501.
      return coding.endsWith(',chunked') || coding.endsWith(', chunked') || /^[\w-]+$/.test(coding)
        ? refuse(501, 'unknown transfer coding')
        : refuse(400, 'invalid Transfer-Encoding')
    }
  }
  if (host === null && !http10) return refuse(400, 'no Host')

  let target = match[2] ?? ''
  if (method === 'CONNECT') return refuse(405, 'CONNECT is not served here')
  if (!ORIGIN_FORM.test(target)) {
    const absolute = ABSOLUTE_FORM.exec(target)
    if (absolute !== null) {
      if (host !== null && !HOST.test(host)) return refuse(400, 'invalid Host')
      host = absolute[1] ?? ''
      const path = absolute[2] ?? (method === 'OPTIONS' ? '*' : '/')
      target = path.startsWith('?') ? `/${path}` : path
      if (target !== '*' && !ORIGIN_FORM.test(target)) return refuse(400, 'invalid target')
    } else if (target !== '*' || method !== 'OPTIONS') {
      return refuse(400, 'invalid target')
    }
  }
  const hostName = host === null ? '' : hostNameOf(host)
  if (hostName === null) return refuse(400, 'invalid Host')
  const body = coding !== null ? 'chunked' : length !== null && Number(length) > 0 ? 'length' : 'none'
  if (method === 'TRACE') return refuse(405, 'TRACE is not served here')
  if (expect !== null && expect !== '100-continue') return refuse(417, 'unknown expectation')
  if (maxForwards !== null && Number(maxForwards) === 0) {
    return refuse(200, 'this proxy is the last to answer, by Max-Forwards')
  }

  let keepAlive = !http10
  if (connection === 'keep-alive') {
    // What browsers send: nothing to look up.
    keepAlive = true
    upgrade = null
  } else if (connection !== '') {
    const elements = listElements(connection)
    if (elements.includes('close')) keepAlive = false
    else if (http10) keepAlive = elements.includes('keep-alive')
    if (!elements.includes('upgrade')) upgrade = null
    const named = namedByConnection(elements)
    if (named !== null) fields = withoutFields(fields, named)
  } else {
    upgrade = null
  }
  // A body before the switch would have to be framed inside the tunnel. Both go on as plain requests.
  if (upgrade !== null && (http10 || body !== 'none' || !UPGRADE.test(upgrade))) upgrade = null
  // What Connection may not remove.
  if (maxForwards !== null) fields += `Max-Forwards: ${Number(maxForwards) - 1}\r\n`
  if (length !== null) fields += `Content-Length: ${Number(length)}\r\n`
  else if (coding !== null) fields += 'Transfer-Encoding: chunked\r\n'

  return {
    method,
    target,
    host: host ?? '',
    hostName,
    http10,
    minorVersion,
    keepAlive,
    body,
    length: length === null ? 0 : Number(length),
    expectContinue: expect !== null && !http10,
    upgrade,
    fields,
    before,
  }
}

let lastHost = ''
let lastHostName = ''

/** The name in a `Host`, lower-case, without port and trailing dot; null if it is no valid one. */
function hostNameOf(host: string): string | null {
  // Most requests ask for the host of the one before.
  if (host === lastHost && host !== '') return lastHostName
  const parts = HOST.exec(host)
  if (parts === null || Number(parts[2] ?? 0) > 65_535) return null
  let name = (parts[1] ?? '').toLowerCase()
  if (name.startsWith('[') && !isIPv6(name.slice(1, -1))) return null
  if (name.endsWith('.')) name = name.slice(0, -1)
  lastHost = host
  lastHostName = name
  return name
}
