import type { TcpHandle } from './tcp-handle.ts'

/** Who is told what happens on a ByteStream. One object per connection; another may take over (a tunnel does). */
export interface ByteHandler {
  /** Bytes `[start, end)` of `buffer` came in. They are valid only during the call if the stream is `volatile`. */
  onBytes(buffer: Buffer, start: number, end: number): void
  /** The peer will send nothing more. */
  onEnd(): void
  /** All that was written has left this process. */
  onDrain(): void
  /** The connection is gone; nothing follows. */
  onClose(): void
}

/** Where the HTTP/1 engine reads and writes: TCP (HandleStream, or SocketStream where that does not serve) or TLS (TlsStream). */
export interface ByteStream {
  handler: ByteHandler
  /** After a write that failed, what the peer had sent before it cut is still read; otherwise it is over at once. */
  readsAfterCut: boolean
  readonly destroyed: boolean
  /** Bytes handed to `write` that have not left this process. */
  readonly pending: number
  /**
   * As `pending`, but it falls with everything that the system takes, also in the middle of a write. For looks now and then:
   * whoever takes a little has taken something.
   */
  readonly untaken: number
  /**
   * Bytes given to `onBytes` are overwritten by the next read of *any* connection: what is written on or kept must be
   * copied. A pending write of shared memory would deliver another client's bytes.
   */
  readonly volatile: boolean
  /** Reads into memory of its own while a body streams; then bytes may be written on uncopied while reading is paused. */
  usePrivateBuffer(): void
  /** `unsent` (the default): bytes of the private buffer may still be pending on the peer, so it is not used again. */
  useSharedBuffer(unsent?: boolean): void
  write(data: string | Uint8Array): void
  /** Writes `text` (latin1) and `part` in one piece; the memory of `part` may be used again once this returns. */
  writeJoined(text: string, part: Buffer): void
  pause(): void
  resume(): void
  /** Sends FIN after what was written. */
  end(): void
  destroy(): void
  /** Cuts with RST, so that nothing that was sent looks whole. */
  reset(): void
  keepAliveProbes(): void
  /** `detach` may give it away. */
  readonly detachable: boolean
  /**
   * Gives the connection away, to be served by another process: nothing of it is read or written here any more, and its
   * handler hears nothing. Null where it is not the whole connection, is over, or has bytes on their way.
   */
  detach(): TcpHandle | null
}
