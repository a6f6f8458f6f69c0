import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ByteHandler, ByteStream } from './byte-stream.ts'
import { sharedBuffer } from './read-buffers.ts'
import { handleOf, queuedBelow, readBelow, writeTo, type StreamHandle, type WriteListener } from './stream-handle.ts'

/**
 * A TLS connection after its handshake as a ByteStream. Reads into the shared buffer only: what was decrypted together is
 * given together, also while reading is stopped. Its handle takes one write at a time, so further ones wait here.
 */
export class TlsStream implements ByteStream, WriteListener {
  handler: ByteHandler
  readsAfterCut = false
  readonly #socket: TLSSocket
  /** The TCP socket below. */
  readonly #under: Socket
  /** Null: read and written by the socket's own ways. */
  readonly #handle: StreamHandle | null
  #paused = false
  #ended = false
  /** Bytes of the write under way, and of those that wait. */
  #unsent = 0
  #queued = 0
  #queue: (string | Uint8Array)[] = []
  readonly #onSocketWritten = (error?: Error | null): void => {
    if (!error && this.#socket.writableLength === 0) this.handler.onDrain()
  }

  /** Nobody may have read `socket` yet. `feed` 'data' is for tests: it is what serves where a Node has no such handles. */
  constructor(socket: TLSSocket, under: Socket, handler: ByteHandler, feed: 'direct' | 'data' = 'direct') {
    this.handler = handler
    this.#socket = socket
    this.#under = under
    this.#handle = feed === 'direct' && socket.readableLength === 0 ? handleOf(socket) : null
    if (this.#handle !== null) {
      readBelow(socket, this.#handle, sharedBuffer, length => this.#onRead(length))
    }
    socket.on('error', ignore)
    socket.on('end', () => this.handler.onEnd())
    socket.on('close', () => this.handler.onClose())
    if (this.#handle === null) socket.on('data', (chunk: Buffer) => this.handler.onBytes(chunk, 0, chunk.length))
  }

  get destroyed(): boolean {
    return this.#socket.destroyed
  }

  get pending(): number {
    return this.#handle !== null ? this.#unsent + this.#queued : this.#socket.writableLength
  }

  get untaken(): number {
    // A write is over when all of it, encrypted, has left; what the TCP socket has left of it tells of progress.
    return this.pending + queuedBelow(this.#under)
  }

  get volatile(): boolean {
    return this.#handle !== null
  }

  usePrivateBuffer(): void {}

  useSharedBuffer(): void {}

  write(data: string | Uint8Array): void {
    if (this.#ended || this.#socket.destroyed || data.length === 0) return
    if (this.#handle === null) {
      // Below the usual write mark a socket tells no 'drain'.
      if (typeof data === 'string') this.#socket.write(data, 'latin1', this.#onSocketWritten)
      else this.#socket.write(data, this.#onSocketWritten)
    } else if (this.#unsent > 0) {
      this.#queue.push(data)
      this.#queued += data.length
    } else this.#send(data)
  }

  writeJoined(text: string, part: Buffer): void {
    this.write(Buffer.concat([Buffer.from(text, 'latin1'), part]))
  }

  pause(): void {
    if (this.#paused) return
    this.#paused = true
    if (this.#handle !== null) this.#current()?.readStop()
    else this.#socket.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#handle !== null) this.#current()?.readStart()
    else this.#socket.resume()
  }

  /** Sends close_notify and FIN once everything has left. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    if (this.#unsent === 0) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** RST, no close_notify. */
  reset(): void {
    this.#under.resetAndDestroy()
    this.#socket.destroy()
  }

  readonly detachable = false

  detach(): null {
    return null
  }

  keepAliveProbes(): void {
    this.#under.setKeepAlive(true, 60_000)
  }

  // WriteListener

  onWritten(): void {
    this.#unsent = 0
    const queue = this.#queue
    if (queue.length > 0) {
      this.#queue = []
      this.#queued = 0
      this.#send(joined(queue))
      return
    }
    if (this.#ended) this.#socket.end()
    this.handler.onDrain()
  }

  onWriteFailed(): void {
    this.#socket.destroy()
  }

  // Private

  #send(data: string | Uint8Array): void {
    const handle = this.#current()
    this.#unsent = handle === null ? -1 : writeTo(handle, data, this)
    if (this.#unsent === -1) {
      this.#unsent = 0
      this.#socket.destroy()
    }
  }

  #onRead(length: number): undefined {
    this.handler.onBytes(sharedBuffer, 0, length)
  }

  /** Null once the socket is destroyed: its handle must not be used any more. */
  #current(): StreamHandle | null {
    return this.#socket.destroyed ? null : this.#handle
  }
}

/** What waited, to be encrypted in one go. */
function joined(parts: (string | Uint8Array)[]): string | Uint8Array {
  const [only] = parts
  if (only !== undefined && parts.length === 1) return only
  return Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
}

function ignore(): void {
  // 'close' follows every error and is what counts.
}
