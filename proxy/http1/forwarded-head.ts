import './octets.ts'
import { STATUS_CODES } from 'node:http'
import { randomFillSync } from 'node:crypto'
import type { Peer } from '../connections/peer.ts'
import { dateText } from './date.ts'
import { appendedForwardingFields, ownForwardingFields } from './forwarding-fields.ts'
import type { RequestHead } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'

/** W3C Trace Context: version, trace, span, flags; of a later version perhaps more. One that is broken starts a new trace. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?$/

const ID_BYTES = 24
const idPool = Buffer.allocUnsafeSlow(ID_BYTES * 256)
let idAt = idPool.length

/** 48 random hexadecimal digits: 32 name the request and its trace, 16 the proxy's span. */
function randomDigits(): string {
  if (idAt === idPool.length) {
    randomFillSync(idPool)
    idAt = 0
  }
  const digits = idPool.hexSlice(idAt, idAt + ID_BYTES)
  idAt += ID_BYTES
  return digits
}

/** Who sent a request, as an instance is told. */
export interface Origin {
  /** Its `localHost` stands in for a missing `Host` of HTTP/1.0. */
  readonly peer: Peer
  /** The peer is a proxy whose fields are kept and appended to. */
  readonly trusted: boolean
  /** `Forwarded` (RFC 7239) is wanted too. */
  readonly forwarded: boolean
  /** What the request is called, once it has been sent: kept when it is sent again. */
  requestId?: string
}

/** The head to send to an instance, with its closing empty line. Without a line for the body's framing: `fields` has it. */
export function requestHeadText(head: RequestHead, origin: Origin): string {
  const { peer } = origin
  const host = head.host === '' ? peer.localHost : head.host
  const digits = randomDigits()
  const before = origin.trusted ? head.before : null
  let requestId = origin.requestId !== undefined && origin.requestId !== '' ? origin.requestId : digits.slice(0, 32)
  let trace = `traceparent: 00-${requestId}-${digits.slice(32)}-00\r\n`
  let forwarding: string
  if (before === null) {
    forwarding = ownForwardingFields(peer, host, origin.forwarded)
  } else {
    forwarding = appendedForwardingFields(peer, host, origin.forwarded, before)
    const id = before['x-request-id']
    if (id !== undefined && id !== '') requestId = id
    const parent = before['traceparent']
    if (parent !== undefined && TRACEPARENT.test(parent)) {
      const state = before['tracestate']
      trace = `traceparent: ${parent}\r\n${state === undefined ? '' : `tracestate: ${state}\r\n`}`
    }
  }
  origin.requestId = requestId
  return (
    `${head.method} ${head.target} HTTP/1.1\r\nHost: ${host}\r\n${head.fields}${forwarding}` +
    `X-Request-ID: ${requestId}\r\n${trace}Via: ${peer.httpVersion === '2.0' ? '2.0' : `1.${head.minorVersion}`} vipswap\r\n` +
    (head.expectContinue ? 'Expect: 100-continue\r\n' : '') +
    (head.upgrade === null ? '\r\n' : `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n\r\n`)
  )
}

/** The instance that answered, told to the client only where the operator wants it. */
export interface ExposedInstance {
  readonly deployment: string
  readonly instance: string
  readonly version: string
}

/** The head to send to a client, with its closing empty line. */
export function responseHeadText(
  head: ResponseHead,
  options: { http10: boolean; close: boolean; exposed: ExposedInstance | null },
): string {
  const reason = head.reason === '' ? (STATUS_CODES[head.status] ?? '') : head.reason
  let text = `HTTP/1.1 ${head.status} ${reason}\r\n${head.fields}`
  if (head.body === 'chunked' && !options.http10) text += 'Transfer-Encoding: chunked\r\n'
  // RFC 9110 section 6.6.1: who forwards an answer without a date gives it one.
  if (!head.dated) text += `Date: ${dateText()}\r\n`
  const exposed = options.exposed
  if (exposed !== null) {
    text += `X-Vipswap-Deployment: ${exposed.deployment}\r\nX-Vipswap-Instance: ${exposed.instance}\r\n`
    text += `X-Vipswap-Version: ${exposed.version}\r\n`
  }
  // RFC 9110 section 15.5.22: a 426 says which protocol would do.
  if (head.status === 426 && head.upgrade !== null) text += `Upgrade: ${head.upgrade}\r\nConnection: Upgrade\r\n`
  if (options.close) text += 'Connection: close\r\n'
  else if (options.http10) text += 'Connection: keep-alive\r\n'
  return `${text}\r\n`
}

/** An interim answer (1xx) to pass on. */
export function interimHeadText(head: ResponseHead): string {
  const reason = head.reason === '' ? (STATUS_CODES[head.status] ?? '') : head.reason
  return `HTTP/1.1 ${head.status} ${reason}\r\n${head.fields}\r\n`
}

/** The 101 of a tunnel. */
export function switchHeadText(head: ResponseHead): string {
  return (
    `HTTP/1.1 101 ${head.reason === '' ? 'Switching Protocols' : head.reason}\r\n${head.fields}` +
    `Connection: Upgrade\r\nUpgrade: ${head.upgrade ?? ''}\r\n\r\n`
  )
}
