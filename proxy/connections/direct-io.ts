import type { Socket } from 'node:net'
import { handleOf, type WriteRequest } from './stream-handle.ts'

// A Writable costs a tick, a 'drain' event and bookkeeping for each small answer, a read three calls; going to the handle is
// one call each. Where this Node does not allow it, the socket's own ways serve.

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest
  readonly streamBaseState: Int32Array
  readonly kLastWriteWasAsync: number
  readonly kReadBytesOrError: number
}

const binding = loadBinding()

/** Node's own way to its streams (`process.binding`), if it is as this file knows it. */
function loadBinding(): StreamBinding | null {
  try {
    // Not in the types: deprecated in the documentation, without a public equivalent.
    const load = (process as unknown as { binding?: (name: string) => Partial<StreamBinding> }).binding
    const { WriteWrap, streamBaseState, kLastWriteWasAsync, kReadBytesOrError } = load?.('stream_wrap') ?? {}
    if (typeof WriteWrap !== 'function' || !(streamBaseState instanceof Int32Array)) return null
    if (typeof kLastWriteWasAsync !== 'number' || typeof kReadBytesOrError !== 'number') return null
    return { WriteWrap, streamBaseState, kLastWriteWasAsync, kReadBytesOrError }
  } catch {
    return null
  }
}

/** Who is told of what happens on the handle. */
export interface DirectListener {
  /** `length` bytes came into the buffer given last. Gives the buffer for the next read, or undefined for the same. */
  onRead(length: number): Uint8Array | undefined
  /** `bytes` of a write that did not end at once have left this process. */
  onWritten(bytes: number): void
  onWriteFailed(): void
}

/** Used again and again: Node touches a request only if its write does not end at once. */
let spare: WriteRequest | null = null

/**
 * Has what is read from a socket made with `onread` delivered to `listener`; its end and errors go as before. False where
 * this Node does not allow it.
 */
export function goDirect(socket: Socket, listener: DirectListener): boolean {
  const handle = handleOf(socket)
  if (binding === null || handle === null || typeof handle.onread !== 'function') return false
  if (typeof handle.writeLatin1String !== 'function' || typeof handle.writeBuffer !== 'function') return false
  const { streamBaseState, kReadBytesOrError } = binding
  const usual = handle.onread
  handle.onread = function onread(...rest) {
    const length = streamBaseState[kReadBytesOrError] ?? 0
    return length > 0 && !socket.destroyed ? listener.onRead(length) : usual.apply(this, rest)
  }
  return true
}

/**
 * Writes to the socket's handle; strings are latin1. Answers how many bytes are still to leave this process: 0 if all have,
 * or -1 if it failed.
 */
export function writeDirect(socket: Socket, data: string | Uint8Array, listener: DirectListener): number {
  const handle = handleOf(socket)
  if (binding === null || handle === null) return -1
  const request = (spare ??= new binding.WriteWrap())
  const failed =
    typeof data === 'string' ? handle.writeLatin1String?.(request, data) : handle.writeBuffer?.(request, data)
  if (failed !== 0) return -1
  if (binding.streamBaseState[binding.kLastWriteWasAsync] === 0) return 0
  spare = null
  const { length } = data
  if (typeof data !== 'string') request.buffer = data
  request.oncomplete = status => {
    if (status === 0) listener.onWritten(length)
    else listener.onWriteFailed()
  }
  return length
}
