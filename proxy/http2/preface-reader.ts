import type { Socket } from 'node:net'
import { disown, stopReading } from '../connections/onread-socket.ts'

/** What every HTTP/2 connection begins with (RFC 9113 section 3.4), and no HTTP/1.1 request may. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

interface FirstBytes {
  onBytes(bytes: Buffer, start: number, end: number): void
}

export interface PrefaceOutcome {
  /** HTTP/2 by prior knowledge; what was read is back in the socket. */
  onHttp2(reader: PrefaceReader): void
  /** Something else: the socket, which is not being read, is to be put into another, and may be used no more. */
  onOther(reader: PrefaceReader): FirstBytes
  onConnectionClosed(reader: PrefaceReader): void
}

/** An accepted, paused connection whose first bytes tell which HTTP it speaks. Only listeners with HTTP/2 have these. */
export class PrefaceReader {
  readonly address: string
  readonly socket: Socket
  readonly #outcome: PrefaceOutcome
  readonly #limits: () => { keepAliveTimeoutMs: number; headTimeoutMs: number }
  #first: Buffer | null = null
  #since = performance.now()

  constructor(
    outcome: PrefaceOutcome,
    limits: () => { keepAliveTimeoutMs: number; headTimeoutMs: number },
    address: string,
    socket: Socket,
  ) {
    this.#outcome = outcome
    this.#limits = limits
    this.address = address
    this.socket = socket
    socket.on('error', ignore)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onClose)
    socket.resume()
  }

  destroy(): void {
    this.socket.destroy()
  }

  closeIfIdle(): void {
    if (this.#first === null) this.destroy()
  }

  watch(now: number): void {
    const { keepAliveTimeoutMs, headTimeoutMs } = this.#limits()
    if (now - this.#since > (this.#first === null ? keepAliveTimeoutMs : headTimeoutMs)) this.destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#first === null) this.#since = performance.now()
    const first = this.#first === null ? chunk : Buffer.concat([this.#first, chunk])
    this.#first = first
    const length = Math.min(first.length, PREFACE.length)
    const same = first.compare(PREFACE, 0, length, 0, length) === 0
    if (same && length < PREFACE.length) return
    const { socket } = this
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('close', this.#onClose)
    socket.pause()
    if (same) {
      // A session ends when its client does; requests of HTTP/1.1 are answered even then.
      socket.allowHalfOpen = false
      socket.unshift(first)
      this.#outcome.onHttp2(this)
    } else {
      stopReading(socket)
      const other = this.#outcome.onOther(this)
      disown(socket)
      other.onBytes(first, 0, first.length)
    }
  }

  readonly #onEnd = (): void => this.destroy()
  readonly #onClose = (): void => this.#outcome.onConnectionClosed(this)
}

function ignore(): void {
  // 'close' follows.
}
