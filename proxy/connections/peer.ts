import { isIP, type BlockList } from 'node:net'

/** Who is at the other end of a client's connection, and by which way it came. */
export class Peer {
  /** As far as the connection itself, or its PROXY protocol header, tells. */
  readonly address: string
  readonly port: number
  /** `host:port` it connected to. */
  readonly localHost: string
  /** It came by TLS. */
  readonly secure: boolean
  /** What it speaks, as `Via` names it. */
  readonly httpVersion: '1.1' | '2.0'
  #list: BlockList | null = null
  #trusted = false

  constructor(address: string, port: number, localHost: string, secure: boolean, httpVersion: '1.1' | '2.0' = '1.1') {
    this.address = address
    this.port = port
    this.localHost = localHost
    this.secure = secure
    this.httpVersion = httpVersion
  }

  /** Is it a proxy whose word counts? Asked per request, answered once per list. */
  isTrustedBy(list: BlockList | null): boolean {
    if (list !== this.#list) {
      this.#list = list
      this.#trusted = list !== null && contains(list, this.address)
    }
    return this.#trusted
  }
}

function contains(list: BlockList, address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address
  const family = isIP(plain)
  return family !== 0 && list.check(plain, family === 6 ? 'ipv6' : 'ipv4')
}
