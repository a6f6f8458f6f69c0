import type { Socket } from 'node:net'
import type { ByteStream } from '../connections/byte-stream.ts'
import type { Peer } from '../connections/peer.ts'
import type { Snapshot } from '../routing/snapshot.ts'

/** As a worker ends: a connection that is younger than this may have its first request on the way. */
export const FIRST_REQUEST_MS = 1000

/** What the sweep and the end of a worker do with every client's connection, whatever is spoken on it. */
export interface OpenConnection {
  /** `now` is monotonic. */
  watch(now: number): void
  closeIfIdle(): void
  /** Another process serves from now on: goes over to it, or tells its client to come back there, or goes on here to its end. */
  leave(): void
  destroy(): void
}

/** Who counts connections, watches and closes them. */
export interface ConnectionOwner {
  /** It is closed, or another's. */
  remove(connection: OpenConnection): void
}

/** Where connections go once it is known what they are. */
export interface Doors extends ConnectionOwner {
  add(connection: OpenConnection): void
  readonly snapshot: Snapshot
  /** Becomes the stream's handler before it returns. */
  serveHttp1(address: string, peer: Peer, stream: ByteStream): void
  /** The same. */
  serveTcp(address: string, peer: Peer, stream: ByteStream): void
  /** A connection that speaks HTTP/2: a TLS one after ALPN, or a plain one whose preface is back in the socket. */
  serveHttp2(address: string, peer: Peer, socket: Socket): void
}
