import type { ByteHandler, ByteStream } from '../connections/byte-stream.ts'
import { closeFrame, FrameWalker } from './frame-walker.ts'

/** How a tunnel ended, in the ledger's words. */
export type TunnelOutcome = 'answered' | 'client-gone' | 'upstream-closed' | 'drain-deadline'

/** One direction: reads from its stream, writes to the other. */
class Side implements ByteHandler {
  readonly stream: ByteStream
  readonly walker: FrameWalker | null
  ended = false
  closed = false
  /** A Close frame waits for the end of the frame under way in this direction. */
  closeWanted = false
  /** What still comes in is read and dropped: the other side has been told that it is over. */
  muted = false
  /** Bytes passed on from here. */
  bytes = 0
  readonly #tunnel: Tunnel
  readonly #closeFrame: Buffer

  constructor(tunnel: Tunnel, stream: ByteStream, websocket: boolean, closeFrameToPeer: Buffer) {
    this.#tunnel = tunnel
    this.stream = stream
    this.walker = websocket ? new FrameWalker() : null
    this.#closeFrame = closeFrameToPeer
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.muted) return
    const to = this.#tunnel.peerOf(this).stream
    const stop = this.walker === null ? end : this.walker.walk(bytes, start, end, this.closeWanted)
    if (stop > start) {
      this.bytes += stop - start
      const part = bytes.subarray(start, stop)
      to.write(this.stream.volatile ? Buffer.from(part) : part)
    }
    if (this.closeWanted && this.walker?.atBoundary === true) this.placeClose()
    else if (to.pending > 0) this.stream.pause()
  }

  /** Puts the Close frame here, between two frames, and ends the stream after it. */
  placeClose(): void {
    const to = this.#tunnel.peerOf(this).stream
    this.closeWanted = false
    this.muted = true
    if (this.walker?.sawClose === false) to.write(this.#closeFrame)
    to.end()
    this.stream.resume()
  }

  onEnd(): void {
    this.ended = true
    this.#tunnel.noteEnd(this)
    this.#tunnel.peerOf(this).stream.end()
  }

  onDrain(): void {
    this.#tunnel.peerOf(this).stream.resume()
  }

  onClose(): void {
    this.closed = true
    this.#tunnel.noteEnd(this)
    this.#tunnel.onSideClosed(this)
  }
}

/** Bytes both ways between a client and an instance: a protocol after 101, or a tcp endpoint. */
export class Tunnel {
  readonly #client: Side
  readonly #instance: Side
  readonly #onEnd: (outcome: TunnelOutcome) => void
  /** The side that ended first. */
  #firstEnd: Side | null = null
  #over = false
  #endingOrderly = false
  /** Once a side has ended: what waits to be taken, and since when that has not changed. */
  #pending = 0
  #pendingSince = 0

  constructor(client: ByteStream, instance: ByteStream, websocket: boolean, onEnd: (outcome: TunnelOutcome) => void) {
    this.#client = new Side(this, client, websocket, closeFrame(true))
    this.#instance = new Side(this, instance, websocket, closeFrame(false))
    this.#onEnd = onEnd
  }

  /** Takes both streams over. */
  start(): void {
    for (const side of [this.#client, this.#instance]) {
      side.stream.handler = side
      side.stream.useSharedBuffer()
      side.stream.keepAliveProbes()
      side.stream.resume()
    }
    if (this.#client.stream.destroyed) this.#client.onClose()
  }

  /** Who ended first. */
  get endedBy(): 'client' | 'instance' | null {
    return this.#firstEnd === null ? null : this.#firstEnd === this.#client ? 'client' : 'instance'
  }

  noteEnd(side: Side): void {
    this.#firstEnd ??= side
  }

  /** Bytes passed on, by direction. */
  get bytesFromClient(): number {
    return this.#client.bytes
  }

  get bytesToClient(): number {
    return this.#instance.bytes
  }

  /** Bytes that were read before the tunnel began. */
  fromInstance(bytes: Buffer, start: number, end: number): void {
    this.#instance.onBytes(bytes, start, end)
  }

  fromClient(bytes: Buffer, start: number, end: number): void {
    this.#client.onBytes(bytes, start, end)
  }

  /** The client had ended its side before the tunnel began. */
  clientEnded(): void {
    this.#client.onEnd()
  }

  /** WebSocket: a Close frame both ways at the next frame boundary, then FIN. Others: FIN both ways. */
  endOrderly(): void {
    if (this.#over || this.#endingOrderly) return
    this.#endingOrderly = true
    for (const side of [this.#client, this.#instance]) {
      if (side.walker !== null && !side.walker.atBoundary && !side.ended) side.closeWanted = true
      else side.placeClose()
    }
  }

  /** Ends both at once. It counts as broken unless both sides had been told before. */
  cut(cause: 'drain-deadline' | 'upstream-closed'): void {
    const told = this.#endingOrderly && this.#client.muted && this.#instance.muted
    this.#finish(told ? 'answered' : cause)
  }

  /**
   * Half over, and what was sent is not taken for `idleMs`: ends the rest, because a peer that never reads would keep both
   * connections for ever. `now` is monotonic.
   */
  watch(now: number, idleMs: number): void {
    if (this.#over || (!this.#client.ended && !this.#instance.ended)) return
    const pending = this.#client.stream.pending + this.#instance.stream.pending
    if (pending === 0 || pending !== this.#pending) {
      this.#pending = pending
      this.#pendingSince = now
    } else if (now - this.#pendingSince > idleMs) {
      this.#finish(this.#client.stream.pending > 0 ? 'client-gone' : 'upstream-closed')
    }
  }

  peerOf(side: Side): Side {
    return side === this.#client ? this.#instance : this.#client
  }

  onSideClosed(side: Side): void {
    if (this.#over) return
    if (this.#endingOrderly) {
      if (this.#client.closed && this.#instance.closed) this.#finish('answered')
      return
    }
    const peer = this.peerOf(side)
    // Both have ended: what was sent to the other is still on its way.
    if (side.ended && peer.ended && !peer.closed) return
    if (side.ended || peer.ended) this.#finish('answered')
    else {
      peer.stream.reset()
      this.#finish(side === this.#client ? 'client-gone' : 'upstream-closed')
    }
  }

  #finish(outcome: TunnelOutcome): void {
    if (this.#over) return
    this.#over = true
    this.#client.stream.destroy()
    this.#instance.stream.destroy()
    this.#onEnd(outcome)
  }
}
