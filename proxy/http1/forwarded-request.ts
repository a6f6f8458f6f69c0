import type { Peer } from '../connections/peer.ts'
import { appendedForwardingFields, ownForwardingFields } from './forwarding-fields.ts'
import { randomDigits } from './random-digits.ts'
import type { RequestHead } from './request-head.ts'

/** W3C Trace Context: version, trace, span, flags; of a later version perhaps more. One that is broken starts a new trace. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?$/

/** What a request is called: by a proxy before this one if that is trusted, else by 32 random digits. */
export function requestIdOf(head: RequestHead, trusted: boolean): string {
  const earlier = (trusted ? head.before : null)?.['x-request-id'] ?? ''
  return earlier === '' ? randomDigits(32) : earlier
}

/**
 * The head of a request of `peer`'s as an instance gets it, with its closing empty line. Without a line for the body's
 * framing: `fields` has it. `trusted`: the peer is a proxy whose fields are kept and appended to; `forwarded`: `Forwarded`
 * (RFC 7239) is wanted too.
 */
export function requestHeadText(
  head: RequestHead,
  peer: Peer,
  trusted: boolean,
  forwarded: boolean,
  requestId: string,
): string {
  // A `Host` that is missing in HTTP/1.0 is the address that was asked.
  const host = head.host === '' ? peer.localHost : head.host
  if (host !== lastHost) rememberHost(host)
  const before = trusted ? head.before : null
  const via = peer.httpVersion === '2.0' ? '2.0' : head.minorVersion === '1' ? '1.1' : `1.${head.minorVersion}`
  const end = `${traceOf(head, before, requestId)}Via: ${via}${endOf(head)}`
  if (before === null && !forwarded) {
    return `${head.method} ${head.target}${hostLine}${head.fields}${peer.fields}${hostEnd}${requestId}${end}`
  }
  const forwarding =
    before === null
      ? ownForwardingFields(peer, host, forwarded)
      : appendedForwardingFields(peer, host, forwarded, before)
  return `${head.method} ${head.target}${hostLine}${head.fields}${forwarding}X-Request-ID: ${requestId}${end}`
}

// Most requests ask for the host of the one before.
let lastHost = ''
/** From after the target to the end of `Host`. */
let hostLine = ''
/** From after the fields of the peer to the request id. */
let hostEnd = ''

function rememberHost(host: string): void {
  lastHost = host
  hostLine = ` HTTP/1.1\r\nHost: ${host}\r\n`
  hostEnd = `X-Forwarded-Host: ${host}\r\nX-Request-ID: `
}

/** The end of the request id's line, and the trace; `before`: what is to be believed of it. */
function traceOf(head: RequestHead, before: RequestHead['before'], requestId: string): string {
  const parent = before?.['traceparent']
  if (parent === undefined || !TRACEPARENT.test(parent)) {
    // An id that a proxy before this one gave may be anything.
    const trace = head.before !== null && head.before['x-request-id'] === requestId ? randomDigits(32) : requestId
    return `\r\ntraceparent: 00-${trace}-${randomDigits(16)}-00\r\n`
  }
  const state = before?.['tracestate']
  return `\r\ntraceparent: ${parent}\r\n${state === undefined ? '' : `tracestate: ${state}\r\n`}`
}

function endOf({ expectContinue, upgrade }: RequestHead): string {
  if (!expectContinue && upgrade === null) return ' vipswap\r\n\r\n'
  return (
    ` vipswap\r\n${expectContinue ? 'Expect: 100-continue\r\n' : ''}` +
    (upgrade === null ? '\r\n' : `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`)
  )
}
