import { isIP, type BlockList } from 'node:net'

/** What a TLS connection was made under; what may be asked over it depends on that. */
export interface TlsIdentity {
  /** Asked for by the client, lower-case; null: none. */
  readonly serverName: string | null
  /** See TlsChoice. */
  readonly authScope: string
  /** The verified client certificate as X-Forwarded-Client-Cert tells it. */
  readonly clientCertificate: string | null
}

/** The two ends of a client's connection as the connection itself, or its PROXY protocol header, tells them. */
export interface Ends {
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
}

/** Who is at the other end of a client's connection, and by which way it came. */
export class Peer {
  /** IPv4 as such, also where it came in by an IPv6 socket. */
  readonly address: string
  readonly port: number
  /** `host:port` it connected to. */
  readonly localHost: string
  readonly localPort: number
  /** Null: without TLS. */
  readonly tls: TlsIdentity | null
  /** The forwarding fields that are the same for all of this connection's requests if nobody before it is trusted. */
  readonly fields: string
  /** What it speaks; HTTP/1 tells its minor version with each request. */
  readonly httpVersion: '1' | '2.0'
  #list: BlockList | null = null
  #trusted = false

  constructor(ends: Ends, tls: TlsIdentity | null, httpVersion: '1' | '2.0' = '1') {
    const address = plainAddress(ends.address)
    const local = plainAddress(ends.localAddress)
    this.address = address
    this.port = ends.port
    this.localHost = `${local.includes(':') ? `[${local}]` : local}:${ends.localPort}`
    this.localPort = ends.localPort
    this.tls = tls
    this.httpVersion = httpVersion
    this.fields =
      `X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: ${this.proto}\r\nX-Forwarded-Port: ${ends.localPort}\r\n` +
      this.certificateField
  }

  /** It came by TLS. */
  get secure(): boolean {
    return this.tls !== null
  }

  get proto(): 'http' | 'https' {
    return this.tls === null ? 'http' : 'https'
  }

  /** The field line of a verified client certificate, '' without one. */
  get certificateField(): string {
    const certificate = this.tls?.clientCertificate ?? null
    return certificate === null ? '' : `X-Forwarded-Client-Cert: ${certificate}\r\n`
  }

  /** Is it a proxy whose word counts? Asked per request, answered once per list. */
  isTrustedBy(list: BlockList | null): boolean {
    if (list !== this.#list) {
      this.#list = list
      this.#trusted = list !== null && isListed(list, this.address)
    }
    return this.#trusted
  }
}

/** Without the prefix of IPv4 in IPv6 and without a zone (`fe80::1%eth0`), which means nothing on another machine. */
function plainAddress(address: string): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
  const zone = plain.indexOf('%')
  return zone === -1 ? plain : plain.slice(0, zone)
}

/** Is `address` one of `list`? */
export function isListed(list: BlockList, address: string): boolean {
  const plain = plainAddress(address)
  const family = isIP(plain)
  return family !== 0 && list.check(plain, family === 6 ? 'ipv6' : 'ipv4')
}
