import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ByteStream } from '../connections/byte-stream.ts'
import type { Peer } from '../connections/peer.ts'
import type { Snapshot } from '../routing/snapshot.ts'

/** What the sweep and the end of a worker do with every client's connection, whatever is spoken on it. */
export interface OpenConnection {
  /** `now` is monotonic. */
  watch(now: number): void
  closeIfIdle(): void
  destroy(): void
}

/** Where connections go once it is known what they are, and who counts them. */
export interface Doors {
  readonly snapshot: Snapshot
  /** Becomes the stream's handler before it returns. */
  serveHttp1(address: string, peer: Peer, stream: ByteStream): void
  /** The same. */
  serveTcp(address: string, peer: Peer, stream: ByteStream): void
  /**
   * A TLS connection with ALPN `h2`, of which nothing was read yet; `under` is the TCP socket it was made of, for a reset.
   * Null: HTTP/2 is offered to nobody.
   */
  readonly serveHttp2: ((address: string, peer: Peer, socket: TLSSocket, under: Socket) => void) | null
  /** One more connection to be watched and closed with the others, and one fewer. */
  add(connection: OpenConnection): void
  remove(connection: OpenConnection): void
}
