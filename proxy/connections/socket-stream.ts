import type { Socket } from 'node:net'
import type { ByteHandler, ByteStream } from './byte-stream.ts'
import { dialOnRead, startReading, stopReading, wrapAccepted, type OnRead } from './onread-socket.ts'
import { goDirect, writeDirect, type DirectListener } from './direct-io.ts'
import { giveBuffer, sharedBuffer, takeBuffer } from './read-buffers.ts'

/** A TCP connection (or, by the `'data'` feed, any socket) as a ByteStream. */
export class SocketStream implements ByteStream, DirectListener {
  handler: ByteHandler
  readonly #socket: Socket
  /** Reads by `'data'`: each chunk is memory of its own. */
  readonly #plain: boolean
  readonly #direct: boolean
  #private: Buffer | null = null
  /** What is read into now. */
  #current: Buffer = sharedBuffer
  #paused = false
  #ended = false
  /** Bytes written directly that have not left this process. */
  #unsent = 0
  readonly #onWritten = (error?: Error | null): void => {
    if (!error && this.#socket.writableLength === 0) this.handler.onDrain()
  }

  private constructor(handler: ByteHandler, make: (onread: OnRead) => { socket: Socket; plain: boolean }) {
    this.handler = handler
    const { socket, plain } = make({
      buffer: () => this.#private ?? sharedBuffer,
      callback: (length, buffer) => {
        this.handler.onBytes(buffer, 0, length)
        return true
      },
    })
    this.#socket = socket
    this.#plain = plain
    this.#direct = !plain && goDirect(socket, this)
    socket.on('error', ignore)
    socket.on('end', () => this.handler.onEnd())
    if (!plain) socket.on('drain', () => this.handler.onDrain())
    socket.on('close', () => {
      this.#release()
      this.handler.onClose()
    })
  }

  /** Takes over an accepted socket; it must have been accepted with `pauseOnConnect` and `allowHalfOpen`. */
  static accepted(accepted: Socket, handler: ByteHandler, feed: 'onread' | 'data' = 'onread'): SocketStream {
    const stream = new SocketStream(handler, onread => {
      const wrapped = feed === 'data' ? null : wrapAccepted(accepted, onread)
      return wrapped === null ? { socket: accepted, plain: true } : { socket: wrapped, plain: false }
    })
    if (stream.#plain) {
      accepted.on('data', (chunk: Buffer) => stream.handler.onBytes(chunk, 0, chunk.length))
      accepted.resume()
    }
    return stream
  }

  /** Dials; `onOpen` is called once connected, `onFail` instead of `onClose` if that fails. */
  static dial(
    host: string,
    port: number,
    handler: ByteHandler,
    outcome: { onOpen: () => void; onFail: (error: Error) => void },
  ): SocketStream {
    const stream = new SocketStream(handler, onread => ({ socket: dialOnRead(host, port, onread), plain: false }))
    let failure: Error = new Error('closed before it was connected')
    const socket = stream.#socket
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
    return this.#direct ? this.#unsent : this.#socket.writableLength
  }

  get volatile(): boolean {
    return !this.#plain && this.#private === null
  }

  usePrivateBuffer(): void {
    // Not while this read's bytes are still being looked at by the caller: takes effect at the next read.
    if (!this.#plain && this.#private === null) this.#private = takeBuffer()
  }

  useSharedBuffer(unsent = true): void {
    const buffer = this.#private
    if (buffer === null) return
    this.#private = null
    if (!unsent) giveBuffer(buffer)
  }

  write(data: string | Uint8Array): void {
    if (this.#direct) {
      this.#writeDirect(data)
      return
    }
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    // A plain socket has the usual write mark, below which `drain` is not told.
    const written = this.#plain ? this.#onWritten : undefined
    if (typeof data === 'string') this.#socket.write(data, 'latin1', written)
    else this.#socket.write(data, written)
  }

  pause(): void {
    if (this.#paused) return
    this.#paused = true
    if (this.#plain) this.#socket.pause()
    else stopReading(this.#socket)
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#plain) this.#socket.resume()
    else startReading(this.#socket)
  }

  end(): void {
    this.#ended = true
    if (!this.#socket.writableEnded) this.#socket.end()
  }

  onRead(length: number): Buffer | undefined {
    const buffer = this.#current
    this.handler.onBytes(buffer, 0, length)
    const next = this.#private ?? sharedBuffer
    if (next === buffer) return undefined
    this.#current = next
    return next
  }

  onWritten(bytes: number): void {
    this.#unsent -= bytes
    if (this.#unsent === 0) this.handler.onDrain()
  }

  onWriteFailed(): void {
    this.#socket.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  reset(): void {
    this.#socket.resetAndDestroy()
  }

  keepAliveProbes(): void {
    this.#socket.setKeepAlive(true, 60_000)
  }

  #writeDirect(data: string | Uint8Array): void {
    if (this.#ended || data.length === 0) return
    const left = writeDirect(this.#socket, data, this)
    if (left > 0) this.#unsent += left
    else if (left < 0) this.#socket.destroy()
  }

  /** A closed connection's buffer: its bytes may still be pending on the peer. */
  #release(): void {
    this.#private = null
  }
}

function ignore(): void {
  // 'close' follows every error and is what counts.
}
