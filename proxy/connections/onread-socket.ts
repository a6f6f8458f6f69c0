import { readSync } from 'node:fs'
import { Socket, type SocketConstructorOpts, type TcpNetConnectOpts, createConnection } from 'node:net'

// The only file that knows of `_handle`: Node offers `onread` for sockets that dial, not for accepted ones, and its
// pause() and resume() restart reading by a later tick, which would overwrite a buffer with a write pending.

interface StreamHandle {
  reading: boolean
  readStart(): number
  readStop(): number
  /** The descriptor, where the platform has one. */
  readonly fd?: number
  useUserBuffer?: unknown
}

export interface OnRead {
  /** Called before each read: the buffer to read into. */
  readonly buffer: () => Buffer
  readonly callback: (length: number, buffer: Buffer) => boolean
}

function handleOf(socket: Socket): StreamHandle | null {
  // `_handle` is not in the types; null once the socket is destroyed.
  return (socket as unknown as { _handle?: StreamHandle | null })._handle ?? null
}

// Write calls `drain` whenever nothing is left: with the usual 16 KiB mark a smaller partial write would never tell.
const WRITE_MARK = 1

/**
 * A socket with a reused read buffer around the handle of an accepted, paused one, which must not be used any more.
 * Null where this Node does not allow it: then read the accepted socket by `'data'`.
 */
export function wrapAccepted(accepted: Socket, onread: OnRead): Socket | null {
  const handle = handleOf(accepted)
  if (handle === null || typeof handle.useUserBuffer !== 'function') return null
  // `handle` and `onread` are options of the constructor that only the types of connect() know.
  const options = { handle, onread, allowHalfOpen: true, writableHighWaterMark: WRITE_MARK }
  return new Socket(options as unknown as SocketConstructorOpts)
}

/** Dials with a reused read buffer. */
export function dialOnRead(host: string, port: number, onread: OnRead): Socket {
  const options = { host, port, onread, allowHalfOpen: true, noDelay: true, writableHighWaterMark: WRITE_MARK }
  // The types want a Uint8Array-returning function and know no write mark; the socket's constructor takes both.
  return createConnection(options as unknown as TcpNetConnectOpts)
}

/** Stops reading at once; no later tick starts it again. */
export function stopReading(socket: Socket): void {
  const handle = handleOf(socket)
  if (handle === null) return
  handle.reading = false
  handle.readStop()
}

export function startReading(socket: Socket): void {
  const handle = handleOf(socket)
  if (handle === null || handle.reading) return
  handle.reading = true
  handle.readStart()
}

const LEFT = 64 * 1024

/**
 * What a peer sent before it cut the connection and nobody has read yet; null if there is nothing. To be asked in the
 * callback of a write that failed: once that returns, Node destroys the socket, and an early answer would be lost.
 */
export function readLeft(socket: Socket): Buffer | null {
  const fd = handleOf(socket)?.fd ?? -1
  if (fd < 0) return null
  const buffer = Buffer.allocUnsafeSlow(LEFT)
  try {
    const length = readSync(fd, buffer, 0, LEFT, null)
    return length === 0 ? null : buffer.subarray(0, length)
  } catch {
    // Nothing there, or the reset itself.
    return null
  }
}
