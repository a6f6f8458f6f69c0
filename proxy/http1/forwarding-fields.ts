import { isIP } from 'node:net'
import type { Peer } from '../connections/peer.ts'
import type { RequestHead } from './request-head.ts'

// X-Forwarded-* as most proxies write them, Forwarded by RFC 7239. What a proxy before this one said is in `head.before`
// and counts only if that proxy is trusted; X-Forwarded-Client-Cert never does.

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const PORT = /^\d{1,5}$/
const HOST_PORT = /:(\d{1,5})$/
/** Some proxies write the port, too, or brackets. */
const WITH_PORT = /^([\d.]+):\d+$|^\[([\dA-Fa-f:.]+)\](?::\d+)?$/
/** Passed on as a trusted proxy gave them. */
const PASSED = [
  ['x-real-ip', 'X-Real-IP'],
  ['x-forwarded-server', 'X-Forwarded-Server'],
  ['x-forwarded-by', 'X-Forwarded-By'],
] as const

/** Field lines that tell an instance who asked and how, where nobody before this proxy is to be believed. */
export function ownForwardingFields(peer: Peer, host: string, forwarded: boolean): string {
  const fields = `${peer.fields}X-Forwarded-Host: ${host}\r\n`
  return forwarded ? `${fields}Forwarded: ${ownElement(peer, host)}\r\n` : fields
}

/** The same behind a trusted proxy: its list of addresses is appended to, what else it said is kept. */
export function appendedForwardingFields(
  peer: Peer,
  host: string,
  forwarded: boolean,
  before: NonNullable<RequestHead['before']>,
): string {
  const earlier = before['x-forwarded-for'] ?? ''
  const proto = before['x-forwarded-proto']
  const forwardedHost = before['x-forwarded-host']
  const port = before['x-forwarded-port'] ?? portOf(peer, proto, forwardedHost)
  let fields =
    `X-Forwarded-For: ${earlier === '' ? '' : `${earlier}, `}${peer.address}\r\n` +
    `X-Forwarded-Proto: ${proto ?? peer.proto}\r\nX-Forwarded-Port: ${port}\r\n${peer.certificateField}` +
    `X-Forwarded-Host: ${forwardedHost ?? host}\r\n`
  for (const [name, field] of PASSED) {
    const value = before[name]
    if (value !== undefined) fields += `${field}: ${value}\r\n`
  }
  if (!forwarded) return fields
  const elements = before['forwarded'] ?? earlier.split(',').map(forElement).filter(Boolean).join(', ')
  return `${fields}Forwarded: ${elements === '' ? '' : `${elements}, `}${ownElement(peer, host)}\r\n`
}

/** The port its client used, as far as can be told: this proxy's own only if nothing is said about the way before. */
function portOf(peer: Peer, proto: string | undefined, host: string | undefined): string {
  const named = host === undefined ? undefined : HOST_PORT.exec(host)?.[1]
  if (named !== undefined && PORT.test(named)) return named
  if (proto === 'https') return '443'
  return proto === 'http' ? '80' : String(peer.localPort)
}

/** This proxy's element of `Forwarded` (RFC 7239 section 4). */
function ownElement(peer: Peer, host: string): string {
  const value = TOKEN.test(host) ? host : `"${host}"`
  return `for=${node(peer.address)};host=${value};proto=${peer.proto}`
}

/** An address of X-Forwarded-For as an element; what is no address is said to be unknown (RFC 7239 sections 6.2, 7.4). */
function forElement(text: string): string {
  const trimmed = text.trim()
  const parts = WITH_PORT.exec(trimmed)
  return trimmed === '' ? '' : `for=${node(parts?.[1] ?? parts?.[2] ?? trimmed)}`
}

function node(address: string): string {
  const family = isIP(address)
  if (family === 6) return `"[${address}]"`
  return family === 4 ? address : 'unknown'
}
