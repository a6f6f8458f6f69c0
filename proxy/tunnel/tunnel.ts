import type { ByteHandler, ByteStream } from '../connections/byte-stream.ts'
import { closeFrame, FrameWalker } from './frame-walker.ts'
import type { TunnelCounts } from './tunnel-counts.ts'

/** How a tunnel ended, in the ledger's words. */
export type TunnelOutcome = 'answered' | 'client-gone' | 'upstream-closed' | 'drain-deadline' | 'timeout'

/** After a read of this size the next one goes into memory of the stream's own, and on uncopied. */
const BULK = 16 * 1024
/** How long both sides may take to close after they were told, once nothing is left to send. */
const GOODBYE_MS = 2000

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
  /** Something was dropped. */
  lost = false
  /** Bytes taken from here. */
  count = 0
  readonly #tunnel: Tunnel
  readonly #closeFrame: Buffer

  constructor(tunnel: Tunnel, stream: ByteStream, websocket: boolean, closeFrameToPeer: Buffer) {
    this.#tunnel = tunnel
    this.stream = stream
    this.walker = websocket ? new FrameWalker() : null
    this.#closeFrame = closeFrameToPeer
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.muted) {
      this.lost = true
      return
    }
    const { stream } = this
    const to = this.#tunnel.peerOf(this).stream
    const stop = this.walker === null ? end : this.walker.walk(bytes, start, end, this.closeWanted)
    if (stop > start) {
      this.count += stop - start
      const part = bytes.subarray(start, stop)
      to.write(stream.volatile ? Buffer.from(part) : part)
      if (stop - start >= BULK) stream.usePrivateBuffer()
      else stream.useSharedBuffer(to.pending > 0)
    }
    if (this.closeWanted && this.walker?.atBoundary === true) this.placeClose()
    // Also when nothing more goes on: the next read could overwrite what is still pending.
    if (to.pending > 0) stream.pause()
  }

  /** Puts the Close frame here, between two frames, and ends the stream after it. */
  placeClose(): void {
    const to = this.#tunnel.peerOf(this).stream
    if (this.walker?.sawClose === false) to.write(this.#closeFrame)
    this.mute()
    to.end()
  }

  /** Nothing of what still comes in goes on. */
  mute(): void {
    this.closeWanted = false
    this.muted = true
    this.readOn()
  }

  /** Reads, unless that could overwrite what the other side is still to send: then once it has. */
  readOn(): void {
    const peer = this.#tunnel.peerOf(this)
    if (peer.closed || peer.stream.pending === 0) this.stream.resume()
    else this.stream.pause()
  }

  onEnd(): void {
    this.ended = true
    this.#tunnel.noteEnd(this)
    const peer = this.#tunnel.peerOf(this)
    // It had sent more than was passed on, and must not take that for received. After a Close frame it knows.
    if (peer.lost && peer.walker === null) peer.stream.reset()
    else peer.stream.end()
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
  readonly #counts: TunnelCounts
  readonly #onEnd: (outcome: TunnelOutcome) => void
  /** The side that ended first. */
  #firstEnd: Side | null = null
  #over = false
  #endingOrderly = false
  /** It is ended because nothing was sent for too long. */
  #idle = false
  /** What has moved and what is not taken yet, at the last look, and since when neither has changed. */
  #moved = 0
  #pending = 0
  #quietSince = performance.now()
  /** Bytes that `#counts` has. */
  #told = { toInstance: 0, toClient: 0 }

  constructor(
    client: ByteStream,
    instance: ByteStream,
    websocket: boolean,
    counts: TunnelCounts,
    onEnd: (outcome: TunnelOutcome) => void,
  ) {
    this.#client = new Side(this, client, websocket, closeFrame(true))
    this.#instance = new Side(this, instance, websocket, closeFrame(false))
    this.#counts = counts
    this.#onEnd = onEnd
  }

  /** Takes both streams over. */
  start(): void {
    this.#counts.open++
    for (const side of [this.#client, this.#instance]) {
      side.stream.handler = side
      side.stream.useSharedBuffer()
      side.stream.keepAliveProbes()
      side.readOn()
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
    return this.#client.count
  }

  get bytesToClient(): number {
    return this.#instance.count
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

  /** A drain has some time left: a WebSocket's client can be told to come back (true), others are left alone. */
  endEarly(): boolean {
    if (this.#client.walker === null) return false
    this.endOrderly()
    return true
  }

  /**
   * WebSocket: a Close frame both ways at the next frame boundary, then FIN. Others: FIN to the instance, as if the client
   * had no more to send; what the instance still answers goes on to the client.
   */
  endOrderly(): void {
    if (this.#over || this.#endingOrderly) return
    this.#endingOrderly = true
    this.#quietSince = performance.now()
    if (this.#client.walker === null) {
      this.#client.mute()
      this.#instance.stream.end()
      return
    }
    for (const side of [this.#client, this.#instance]) {
      if (side.walker?.atBoundary === false && !side.ended) side.closeWanted = true
      else side.placeClose()
    }
  }

  /** Ends both at once. It counts as broken unless both sides had been told before. */
  cut(cause: 'drain-deadline' | 'upstream-closed'): void {
    if (this.#bothTold) this.#finish('answered')
    else this.#breakOff(cause)
  }

  /**
   * Ends what stands still. `now` is monotonic. `idleMs`: one side has ended, and what was sent to a peer is not taken: it
   * would keep both connections for ever. `tunnelIdleMs`: no byte either way.
   */
  watch(now: number, idleMs: number, tunnelIdleMs: number): void {
    if (this.#over) return
    const client = this.#client
    const instance = this.#instance
    const moved = client.count + instance.count
    const pending = client.stream.untaken + instance.stream.untaken
    if (moved !== this.#moved || pending !== this.#pending) {
      this.#moved = moved
      this.#pending = pending
      this.#quietSince = now
      this.#tellBytes()
      return
    }
    const quiet = now - this.#quietSince
    const oneClosed = client.closed || instance.closed
    if (pending > 0 && (oneClosed || this.#endingOrderly || client.ended || instance.ended)) {
      if (quiet > idleMs) this.#breakOff(client.stream.pending > 0 ? 'client-gone' : 'upstream-closed')
    } else if (oneClosed || this.#endingOrderly) {
      if (quiet <= GOODBYE_MS) return
      if (oneClosed || this.#bothTold || (this.#idle && client.walker === null)) this.#finish('answered')
      // A drain's deadline decides about the others, which have not come to the end of a frame or of an answer.
      else if (this.#idle) this.#breakOff('timeout')
    } else if (quiet > tunnelIdleMs) {
      this.#idle = true
      this.endOrderly()
    }
  }

  peerOf(side: Side): Side {
    return side === this.#client ? this.#instance : this.#client
  }

  onSideClosed(side: Side): void {
    if (this.#over) return
    const peer = this.peerOf(side)
    if (this.#endingOrderly && this.#bothTold) {
      if (peer.closed) this.#finish('answered')
      else peer.readOn()
      return
    }
    if (side.ended) {
      // What an instance sent before its end is still on its way to the client.
      if (side === this.#instance && !peer.closed) peer.mute()
      else this.#finish('answered')
      return
    }
    // Reset: what it sent is not whole, and the other must see that. After both have said Close nothing is missing.
    const saidClose = side.walker?.sawClose === true && peer.walker?.sawClose === true
    if (saidClose) this.#finish('answered')
    else if (side === this.#instance) this.#breakOff('upstream-closed')
    else this.#breakOff(peer.ended && side.stream.pending === 0 ? 'answered' : 'client-gone')
  }

  /** Both have been told that it is over. */
  get #bothTold(): boolean {
    const { walker, muted, ended } = this.#instance
    return this.#client.muted && (walker === null ? ended : muted)
  }

  #tellBytes(): void {
    const { count: toInstance } = this.#client
    const { count: toClient } = this.#instance
    this.#counts.toInstance += toInstance - this.#told.toInstance
    this.#counts.toClient += toClient - this.#told.toClient
    this.#told = { toInstance, toClient }
  }

  #breakOff(outcome: TunnelOutcome): void {
    if (this.#over) return
    this.#client.stream.reset()
    this.#instance.stream.reset()
    this.#finish(outcome)
  }

  #finish(outcome: TunnelOutcome): void {
    if (this.#over) return
    this.#over = true
    this.#counts.open--
    this.#tellBytes()
    this.#client.stream.destroy()
    this.#instance.stream.destroy()
    this.#onEnd(outcome)
  }
}
