import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import '../http1/octets.ts'

// The PROXY protocol, versions 1 and 2, as HAProxy's proxy-protocol.txt defines it: what a balancer of connections says
// about the client before the client's own first byte.

/** Longest line of version 1, CRLF included. */
const V1_MAX = 107
const V1_START = Buffer.from('PROXY ', 'latin1')
const V1_BEGUN = /^[\x20-\x7e]*\r?$/
const V1_LINE = /^PROXY (?:UNKNOWN(?: [\x20-\x7e]*)?|(TCP[46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (\d{1,5}) (\d{1,5}))$/

const V2_START = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_FIXED = 16
/** What may follow the fixed part: addresses and extensions. The protocol would allow 64 KiB. */
const V2_MAX_REST = 2048
const V2_LOCAL = 0x20
const V2_PROXY = 0x21
const UNSPECIFIED = 0x00
const TCP4 = 0x11
const TCP6 = 0x21
const UNIX_STREAM = 0x31
const UNIX_ADDRESSES = 216

export interface ProxiedAddresses {
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
}

export type ProxyHeader =
  /** `length` octets were the header. `addresses` null: the connection's own addresses are the client's. */
  | { readonly state: 'whole'; readonly length: number; readonly addresses: ProxiedAddresses | null }
  /** At least `needed` octets in all are wanted before it is worth looking again. */
  | { readonly state: 'more'; readonly needed: number }
  | { readonly state: 'broken' }

const BROKEN: ProxyHeader = { state: 'broken' }

/** Reads the header at the start of `bytes`, which are all that came so far. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (bytes.length === 0) return { state: 'more', needed: 1 }
  return bytes[0] === V1_START[0] ? parseText(bytes) : parseBinary(bytes)
}

function parseText(bytes: Buffer): ProxyHeader {
  if (!beginsAlike(bytes, V1_START)) return BROKEN
  const end = bytes.subarray(0, V1_MAX).indexOf('\r\n', 0, 'latin1')
  if (end === -1) {
    const { length } = bytes
    const possible = length < V1_MAX && V1_BEGUN.test(bytes.latin1Slice(0, length))
    return possible ? { state: 'more', needed: length + 1 } : BROKEN
  }
  const match = V1_LINE.exec(bytes.latin1Slice(0, end))
  if (match === null) return BROKEN
  const [, family, address = '', localAddress = '', port = '', localPort = ''] = match
  const length = end + 2
  if (family === undefined) return { state: 'whole', length, addresses: null }
  const isAddress = family === 'TCP4' ? isIPv4 : isIPv6
  if (!isAddress(address) || !isAddress(localAddress) || !isPort(port) || !isPort(localPort)) return BROKEN
  const addresses = { address, port: Number(port), localAddress, localPort: Number(localPort) }
  return { state: 'whole', length, addresses }
}

/** Without leading zeros, as the protocol demands. */
function isPort(text: string): boolean {
  return Number(text) <= 65_535 && (text === '0' || !text.startsWith('0'))
}

function parseBinary(bytes: Buffer): ProxyHeader {
  if (!beginsAlike(bytes, V2_START)) return BROKEN
  if (bytes.length < V2_FIXED) return { state: 'more', needed: V2_FIXED }
  const command = bytes[12]
  const family = bytes.readUInt8(13)
  const rest = bytes.readUInt16BE(14)
  if ((command !== V2_PROXY && command !== V2_LOCAL) || rest > V2_MAX_REST) return BROKEN
  const length = V2_FIXED + rest
  if (bytes.length < length) return { state: 'more', needed: length }
  // The balancer's own checks: whatever addresses it gives are to be ignored.
  if (command === V2_LOCAL) return { state: 'whole', length, addresses: null }
  switch (family) {
    case UNSPECIFIED:
      return { state: 'whole', length, addresses: null }
    case UNIX_STREAM:
      return rest < UNIX_ADDRESSES ? BROKEN : { state: 'whole', length, addresses: null }
    case TCP4:
      return rest < 12 ? BROKEN : { state: 'whole', length, addresses: addressesAt(bytes, 4, ipv4At) }
    case TCP6:
      return rest < 36 ? BROKEN : { state: 'whole', length, addresses: addressesAt(bytes, 16, ipv6At) }
    default:
      return BROKEN
  }
}

function addressesAt(bytes: Buffer, size: number, textAt: (bytes: Buffer, at: number) => string): ProxiedAddresses {
  const ports = V2_FIXED + 2 * size
  return {
    address: textAt(bytes, V2_FIXED),
    localAddress: textAt(bytes, V2_FIXED + size),
    port: bytes.readUInt16BE(ports),
    localPort: bytes.readUInt16BE(ports + 2),
  }
}

function ipv4At(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join('.')
}

function ipv6At(bytes: Buffer, at: number): string {
  const groups: string[] = []
  for (let index = 0; index < 16; index += 2) groups.push(bytes.readUInt16BE(at + index).toString(16))
  // Shortened as RFC 5952 asks.
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address
}

function beginsAlike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.subarray(0, length).equals(start.subarray(0, length))
}
