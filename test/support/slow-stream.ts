import type { ByteHandler, ByteStream } from '../../proxy/connections/byte-stream.ts'

const NOBODY: ByteHandler = { onBytes: () => {}, onEnd: () => {}, onDrain: () => {}, onClose: () => {} }

/** The two ends of a connection that no system knows of. */
export const NOWHERE = { address: '127.0.0.1', port: 1, localAddress: '127.0.0.1', localPort: 1 }

/** A connection without a system below it: while `slow`, what is written leaves when told to. */
export class SlowStream implements ByteStream {
  handler = NOBODY
  readsAfterCut = false
  destroyed = false
  readonly volatile = false
  readonly detachable = false
  pending = 0
  /** Of what is pending. */
  taken = 0
  reads = true
  ended = false
  slow = false
  /** All that was written. */
  text = ''

  get untaken(): number {
    return this.pending - this.taken
  }

  usePrivateBuffer(): void {}
  useSharedBuffer(): void {}
  keepAliveProbes(): void {}

  detach(): null {
    return null
  }

  write(data: string | Uint8Array): void {
    this.text += typeof data === 'string' ? data : Buffer.from(data).toString('latin1')
    if (this.slow) this.pending += data.length
  }

  writeJoined(text: string, part: Buffer): void {
    this.write(text + part.toString('latin1'))
  }

  pause(): void {
    this.reads = false
  }

  resume(): void {
    this.reads = true
  }

  end(): void {
    this.ended = true
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.handler.onClose()
  }

  reset(): void {
    this.destroy()
  }

  drain(): void {
    this.pending = 0
    this.taken = 0
    this.handler.onDrain()
  }
}
