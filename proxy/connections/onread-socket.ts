import { Socket, type SocketConstructorOpts, type TcpNetConnectOpts, createConnection } from 'node:net'
import { handleOf } from './stream-handle.ts'

// Node offers `onread` for sockets that dial, not for accepted ones, and its
// pause() and resume() restart reading by a later tick, which would overwrite a buffer with a write pending.

export interface OnRead {
  /** Called before each read: the buffer to read into. */
  readonly buffer: () => Buffer
  readonly callback: (length: number, buffer: Buffer) => boolean
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

/**
 * Takes its handle from a socket that another was put around: one that has been read may still start reading by a later
 * tick, behind the other's back.
 */
export function disown(socket: Socket): void {
  // As the socket itself does when it closes.
  ;(socket as unknown as { _handle: unknown })._handle = null
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
