import './octets.ts'
import { STATUS_CODES } from 'node:http'
import { randomFillSync } from 'node:crypto'
import type { Peer } from '../connections/peer.ts'
import { dateText } from './date.ts'
import type { RequestHead } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'

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
}

/** The head to send to an instance, with its closing empty line. Without a line for the body's framing: `fields` has it. */
export function requestHeadText(head: RequestHead, origin: Origin): string {
  const host = head.host === '' ? origin.peer.localHost : head.host
  const digits = randomDigits()
  let forwardedFor = origin.peer.address
  let proto = origin.peer.secure ? 'https' : 'http'
  let forwardedHost = host
  let requestId = digits.slice(0, 32)
  let trace = `traceparent: 00-${requestId}-${digits.slice(32)}-00\r\n`
  const before = head.before
  if (origin.trusted && before !== null) {
    const earlier = before['x-forwarded-for']
    if (earlier !== undefined) forwardedFor = `${earlier}, ${forwardedFor}`
    proto = before['x-forwarded-proto'] ?? proto
    forwardedHost = before['x-forwarded-host'] ?? forwardedHost
    requestId = before['x-request-id'] ?? requestId
    const parent = before['traceparent']
    if (parent !== undefined) {
      const state = before['tracestate']
      trace = `traceparent: ${parent}\r\n${state === undefined ? '' : `tracestate: ${state}\r\n`}`
    }
  }
  return (
    `${head.method} ${head.target} HTTP/1.1\r\nHost: ${host}\r\n${head.fields}` +
    `X-Forwarded-For: ${forwardedFor}\r\nX-Forwarded-Proto: ${proto}\r\nX-Forwarded-Host: ${forwardedHost}\r\n` +
    `X-Request-ID: ${requestId}\r\n${trace}Via: ${origin.peer.httpVersion} vipswap\r\n` +
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
