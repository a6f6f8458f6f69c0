import { createConnection, type Socket } from 'node:net'
import type { ByteHandler, ByteStream } from './byte-stream.ts'
import { queuedBelow } from './stream-handle.ts'

/**
 * A socket as a ByteStream, by its `'data'` events: serves where a handle alone does not, that is before a TLS handshake,
 * where a name has to be looked up, and on a Node without the handles that HandleStream knows.
 */
export class SocketStream implements ByteStream {
  handler: ByteHandler
  readsAfterCut = false
  readonly volatile = false
  readonly #socket: Socket
  #paused = false
  readonly #onWritten = (error?: Error | null): void => {
    if (!error && this.#socket.writableLength === 0) this.handler.onDrain()
  }

  private constructor(socket: Socket, handler: ByteHandler) {
    this.handler = handler
    this.#socket = socket
    socket.on('error', ignore)
    socket.on('data', (chunk: Buffer) => this.handler.onBytes(chunk, 0, chunk.length))
    socket.on('end', () => this.handler.onEnd())
    socket.on('close', () => this.handler.onClose())
  }

  /** Takes over an accepted, paused socket with `allowHalfOpen`. */
  static accepted(accepted: Socket, handler: ByteHandler): SocketStream {
    const stream = new SocketStream(accepted, handler)
    accepted.resume()
    return stream
  }

  /** Dials; `onOpen` is called once connected, `onFail` instead of `onClose` if that fails. */
  static dial(
    host: string,
    port: number,
    handler: ByteHandler,
    outcome: { onOpen: () => void; onFail: (error: Error) => void },
  ): SocketStream {
    const socket = createConnection({ host, port, allowHalfOpen: true, noDelay: true })
    const stream = new SocketStream(socket, handler)
    let failure: Error = new Error('closed before it was connected')
    const onError = (error: Error): void => {
      failure = error
    }
    const onClose = (): void => outcome.onFail(failure)
    socket.on('error', onError)
    socket.on('close', onClose)
    socket.once('connect', () => {
      socket.off('error', onError)
      socket.off('close', onClose)
      outcome.onOpen()
    })
    return stream
  }

  get destroyed(): boolean {
    return this.#socket.destroyed
  }

  get pending(): number {
    return this.#socket.writableLength
  }

  get untaken(): number {
    // The socket counts a write under way as a whole; what its handle has left of it tells of progress.
    return this.#socket.writableLength + queuedBelow(this.#socket)
  }

  usePrivateBuffer(): void {}

  useSharedBuffer(): void {}

  write(data: string | Uint8Array): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    // Below the usual write mark a socket tells no 'drain'.
    if (typeof data === 'string') this.#socket.write(data, 'latin1', this.#onWritten)
    else this.#socket.write(data, this.#onWritten)
  }

  writeJoined(text: string, part: Buffer): void {
    this.write(Buffer.concat([Buffer.from(text, 'latin1'), part]))
  }

  pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#socket.resume()
  }

  end(): void {
    if (!this.#socket.writableEnded) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  reset(): void {
    this.#socket.resetAndDestroy()
  }

  /** Gives the socket away, `unread` being what it gave last. This stream's handler is told of its end and nothing else. */
  surrender(unread: Uint8Array): Socket {
    const socket = this.#socket
    socket.pause()
    socket.removeAllListeners('data')
    socket.unshift(unread)
    return socket
  }

  readonly detachable = false

  detach(): null {
    return null
  }

  keepAliveProbes(): void {
    this.#socket.setKeepAlive(true, 60_000)
  }
}

function ignore(): void {
  // 'close' follows every error and is what counts.
}
