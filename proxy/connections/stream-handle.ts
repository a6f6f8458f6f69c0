import type { Socket } from 'node:net'

// With tcp-handle.ts (and holder/bind.ts, which binds without listening) the only file that reaches below net.Socket. A socket object costs two stream states and an event
// emitter for each connection, a tick and a 'drain' event for each write, three calls for each read; its handle costs one
// call each. Where this Node does not have the handles as known here, the socket's own ways serve.

/** A write, an end or a dial under way, as Node's handles know it. */
export interface HandleRequest {
  oncomplete: (status: number) => void
  /** Keeps the memory of a write that is under way. */
  buffer?: Uint8Array
}

/** A stream below net.Socket. Calls that may fail answer 0 or a negative error number. */
export interface StreamHandle {
  /** Bytes of writes under way that the system has not taken. */
  readonly writeQueueSize: number
  onread: (this: unknown, ...rest: unknown[]) => Uint8Array | undefined
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeLatin1String(request: HandleRequest, text: string): number
  writeBuffer(request: HandleRequest, bytes: Uint8Array): number
  shutdown(request: HandleRequest): number
}

export const STREAM_METHODS = [
  'useUserBuffer',
  'readStart',
  'readStop',
  'writeLatin1String',
  'writeBuffer',
  'shutdown',
] as const

interface StreamBinding {
  readonly WriteWrap: new () => HandleRequest
  readonly ShutdownWrap: new () => HandleRequest
  readonly streamBaseState: Int32Array
  readonly kLastWriteWasAsync: number
  readonly kReadBytesOrError: number
}

const binding = loadBinding()

/** Node's own bindings, by name (`process.binding`); undefined members where there are none. */
export function nodeBinding(name: string): Readonly<Record<string, unknown>> {
  try {
    // Not in the types: deprecated in the documentation, without a public equivalent.
    const { binding: load } = process as unknown as { binding?: (name: string) => Record<string, unknown> }
    return load?.(name) ?? {}
  } catch {
    return {}
  }
}

function loadBinding(): StreamBinding | null {
  const found = nodeBinding('stream_wrap')
  const sound =
    typeof found['WriteWrap'] === 'function' &&
    typeof found['ShutdownWrap'] === 'function' &&
    typeof found['kLastWriteWasAsync'] === 'number' &&
    typeof found['kReadBytesOrError'] === 'number' &&
    found['streamBaseState'] instanceof Int32Array
  // Each member was looked at.
  return sound ? (found as unknown as StreamBinding) : null
}

export const HAS_STREAM_HANDLES = binding !== null

/** Of the read being told: how many bytes, or a negative error number (the end of the stream among them). */
export function readLength(): number {
  return binding === null ? 0 : (binding.streamBaseState[binding.kReadBytesOrError] ?? 0)
}

/** Who is told of a write that did not end at once. */
export interface WriteListener {
  /** `bytes` of it have left this process after all. */
  onWritten(bytes: number): void
  onWriteFailed(): void
}

/** Used again and again: Node touches a request only if its write does not end at once. */
let spare: HandleRequest | null = null

/** Writes; strings are latin1. Answers how many bytes are still to leave this process, 0 if all have, -1 if it failed. */
export function writeTo(handle: StreamHandle, data: string | Uint8Array, listener: WriteListener): number {
  if (binding === null) return -1
  const request = (spare ??= new binding.WriteWrap())
  const failed = typeof data === 'string' ? handle.writeLatin1String(request, data) : handle.writeBuffer(request, data)
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

/** Bytes handed to `socket` that its handle has and the system has not taken; 0 where that is not known. */
export function queuedBelow(socket: Socket): number {
  // `_handle` is not in the types.
  const handle = (socket as unknown as { _handle?: { writeQueueSize?: unknown } | null })._handle
  return typeof handle?.writeQueueSize === 'number' ? handle.writeQueueSize : 0
}

/** Sends FIN after what was written; `done` is called then. False if that is not possible. */
export function shutDown(handle: StreamHandle, done: () => void): boolean {
  if (binding === null) return false
  const request = new binding.ShutdownWrap()
  request.oncomplete = done
  return handle.shutdown(request) === 0
}

/** The handle below a socket; null once the socket is destroyed, or where this Node's handles are not as known here. */
export function handleOf(socket: Socket): StreamHandle | null {
  // `_handle` is not in the types.
  const handle = (socket as unknown as { _handle?: Record<string, unknown> | null })._handle ?? null
  if (binding === null || handle === null || !STREAM_METHODS.every(name => typeof handle[name] === 'function')) {
    return null
  }
  // Each method was looked at.
  return handle as unknown as StreamHandle
}

/** Has what `socket` reads delivered to `onRead`, by the buffer that was given last; its end and errors go as before. */
export function readBelow(
  socket: Socket,
  handle: StreamHandle,
  buffer: Uint8Array,
  onRead: (length: number) => Uint8Array | undefined,
): void {
  const usual = handle.onread
  handle.onread = function onread(...rest) {
    const length = readLength()
    return length > 0 && !socket.destroyed ? onRead(length) : usual.apply(this, rest)
  }
  handle.useUserBuffer(buffer)
}
