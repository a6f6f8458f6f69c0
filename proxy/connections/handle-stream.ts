import '../http1/octets.ts'
import type { ByteHandler, ByteStream } from './byte-stream.ts'
import { giveBuffer, sharedBuffer, takeBuffer } from './read-buffers.ts'
import { copyJoined, joinedIn, keepJoined } from './stage.ts'
import { readLength, shutDown, writeTo, type WriteListener } from './stream-handle.ts'
import { dialHandle, type TcpHandle } from './tcp-handle.ts'

const END_OF_STREAM = -4095

/** A TCP connection as a ByteStream, without a socket object: reads into reused memory, writes at once. */
export class HandleStream implements ByteStream, WriteListener {
  handler: ByteHandler
  readsAfterCut = false
  readonly detachable = true
  readonly #handle: TcpHandle
  #private: Buffer | null = null
  /** What is read into now. */
  #current: Buffer = sharedBuffer
  /** No write of `#current` is pending, so that it may serve others once nothing is read into it any more. */
  #givesBack = false
  /** Bytes handed to `write` that have not left this process. */
  #unsent = 0
  #paused = false
  #readEnded = false
  #writeEnded = false
  #finSent = false
  /** A write failed: however the reading ends, it is no orderly end. */
  #cut = false
  #closed = false

  private constructor(handle: TcpHandle, handler: ByteHandler) {
    this.#handle = handle
    this.handler = handler
    handle.useUserBuffer(sharedBuffer)
    handle.onread = () => this.#onRead()
  }

  /** Takes over an accepted connection and reads it. */
  static accepted(handle: TcpHandle, handler: ByteHandler): HandleStream {
    const stream = new HandleStream(handle, handler)
    handle.setNoDelay(true)
    handle.readStart()
    return stream
  }

  /**
   * Dials an IP address; `onOpen` is called once connected, `onFail` instead of `onClose` if that fails. Null where a name
   * has to be looked up, or this Node has no such handles.
   */
  static dial(
    host: string,
    port: number,
    handler: ByteHandler,
    outcome: { onOpen: () => void; onFail: (error: number) => void },
  ): HandleStream | null {
    let stream: HandleStream | null = null
    const handle = dialHandle(host, port, status => {
      if (stream === null || handle === null) return
      const wasClosed = stream.#closed
      if (status !== 0 || wasClosed) {
        stream.#quietly(() => outcome.onFail(status))
        return
      }
      handle.setNoDelay(true)
      handle.readStart()
      outcome.onOpen()
    })
    if (handle !== null) stream = new HandleStream(handle, handler)
    return stream
  }

  get destroyed(): boolean {
    return this.#closed || this.#cut
  }

  get pending(): number {
    return this.#unsent
  }

  get untaken(): number {
    return this.#unsent === 0 || this.#closed ? this.#unsent : this.#handle.writeQueueSize
  }

  get volatile(): boolean {
    return this.#current === sharedBuffer
  }

  usePrivateBuffer(): void {
    // The handle takes another buffer only at the end of a read: outside of one, the next still goes into the old.
    if (this.#private !== null) return
    this.#private = this.#givesBack ? this.#current : takeBuffer()
    this.#givesBack = false
  }

  useSharedBuffer(unsent = true): void {
    const buffer = this.#private
    if (buffer === null) return
    this.#private = null
    if (buffer === this.#current) this.#givesBack = !unsent
    else if (!unsent) giveBuffer(buffer)
  }

  write(data: string | Uint8Array): void {
    if (this.#closed || this.#writeEnded || data.length === 0) return
    const left = writeTo(this.#handle, data, this)
    if (left > 0) this.#unsent += left
    else if (left < 0) this.onWriteFailed()
  }

  writeJoined(text: string, part: Buffer): void {
    if (this.#closed || this.#writeEnded) return
    // Behind another write it cannot end at once: then it keeps no more memory than it needs.
    const joined = this.#unsent > 0 ? copyJoined(text, part) : joinedIn(text, part)
    const left = writeTo(this.#handle, joined, this)
    if (left < 0) this.onWriteFailed()
    else if (left > 0) {
      this.#unsent += left
      keepJoined(joined)
    }
  }

  pause(): void {
    if (this.#paused) return
    this.#paused = true
    if (!this.#closed) this.#handle.readStop()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (!this.#closed && !this.#readEnded) this.#handle.readStart()
  }

  end(): void {
    if (this.#writeEnded || this.#closed) return
    this.#writeEnded = true
    const going = shutDown(this.#handle, () => {
      this.#finSent = true
      if (this.#readEnded) this.destroy()
    })
    if (!going) this.destroy()
  }

  destroy(): void {
    if (this.#closed) return
    this.#closed = true
    this.#handle.close(() => this.#onClosed())
  }

  reset(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#handle.reset(() => this.#onClosed()) !== 0) this.#handle.close(() => this.#onClosed())
  }

  keepAliveProbes(): void {
    if (!this.#closed) this.#handle.setKeepAlive(true, 60)
  }

  detach(): TcpHandle | null {
    const isWhole = !this.#closed && !this.#cut && !this.#writeEnded && !this.#readEnded
    if (!isWhole || this.#unsent > 0) return null
    this.#handle.readStop()
    this.#closed = true
    this.handler = NOBODY
    return this.#handle
  }

  // WriteListener

  onWritten(bytes: number): void {
    this.#unsent -= bytes
    if (this.#unsent === 0 && !this.#closed) this.handler.onDrain()
  }

  onWriteFailed(): void {
    if (!this.readsAfterCut || this.#readEnded) {
      this.destroy()
      return
    }
    // An early answer may be there to be read, with a reset behind it.
    this.#cut = true
    this.#writeEnded = true
  }

  // Private

  #onRead(): Buffer | undefined {
    const length = readLength()
    if (length <= 0) {
      if (length < 0) this.#onReadEnd(length)
      return undefined
    }
    if (this.#closed) return undefined
    const buffer = this.#current
    this.handler.onBytes(buffer, 0, length)
    const next = this.#private ?? sharedBuffer
    if (next === buffer) return undefined
    this.#current = next
    if (this.#givesBack) giveBuffer(buffer)
    this.#givesBack = false
    return next
  }

  #onReadEnd(error: number): void {
    if (this.#closed || this.#readEnded) return
    this.#readEnded = true
    if (error !== END_OF_STREAM || this.#cut) {
      this.destroy()
      return
    }
    this.handler.onEnd()
    if (this.#finSent) this.destroy()
  }

  #onClosed(): void {
    // Bytes of a private buffer may still be pending on the peer: it is let go, not given back.
    this.#private = null
    this.handler.onClose()
  }

  #quietly(then: () => void): void {
    this.handler = NOBODY
    this.destroy()
    then()
  }
}

const NOBODY: ByteHandler = { onBytes: nothing, onEnd: nothing, onDrain: nothing, onClose: nothing }

function nothing(): void {
  // A dial that failed is told by `onFail` alone, and a connection that was given away is another's.
}
