import { isIPv4, isIPv6, type Server } from 'node:net'

// The only file that reaches below net.Socket. A socket object costs two stream states and an event emitter for each
// connection, a tick and a 'drain' event for each write, three calls for each read; its handle costs one call each. Where
// this Node does not have the handles as known here, net.Socket serves (SocketStream).

/** A write, an end or a dial under way, as Node's handles know it. */
export interface HandleRequest {
  oncomplete: (status: number) => void
  /** Keeps the memory of a write that is under way. */
  buffer?: Uint8Array
}

interface Address {
  address?: string
  port?: number
}

/** A TCP connection below net.Socket. Calls that may fail answer 0 or a negative error number. */
export interface TcpHandle {
  onread: (this: TcpHandle) => Uint8Array | undefined
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeLatin1String(request: HandleRequest, text: string): number
  writeBuffer(request: HandleRequest, bytes: Uint8Array): number
  shutdown(request: HandleRequest): number
  setNoDelay(on: boolean): number
  setKeepAlive(on: boolean, seconds: number): number
  getpeername(out: Address): number
  getsockname(out: Address): number
  connect(request: HandleRequest, address: string, port: number): number
  connect6(request: HandleRequest, address: string, port: number): number
  close(done: () => void): void
  reset(done: () => void): number
}

interface Bindings {
  readonly TCP: new (type: number) => TcpHandle
  readonly TCPConnectWrap: new () => HandleRequest
  readonly SOCKET: number
  readonly WriteWrap: new () => HandleRequest
  readonly ShutdownWrap: new () => HandleRequest
  readonly state: Int32Array
  readonly kLastWriteWasAsync: number
  readonly kReadBytesOrError: number
}

const HANDLE_METHODS = [
  'useUserBuffer',
  'readStart',
  'readStop',
  'writeLatin1String',
  'writeBuffer',
  'shutdown',
  'setNoDelay',
  'setKeepAlive',
  'getpeername',
  'getsockname',
  'connect',
  'connect6',
  'close',
  'reset',
] as const

/** Node's own handles (`process.binding`), or null where they are not as this file knows them. */
const bindings = loadBindings()

function loadBindings(): Bindings | null {
  try {
    // Not in the types: deprecated in the documentation, without a public equivalent.
    const load = (process as unknown as { binding?: (name: string) => Record<string, unknown> }).binding
    const { TCP, TCPConnectWrap, constants } = load?.('tcp_wrap') ?? {}
    const stream = load?.('stream_wrap') ?? {}
    const found = {
      TCP,
      TCPConnectWrap,
      SOCKET: (constants as { SOCKET?: unknown } | undefined)?.SOCKET,
      WriteWrap: stream['WriteWrap'],
      ShutdownWrap: stream['ShutdownWrap'],
      state: stream['streamBaseState'],
      kLastWriteWasAsync: stream['kLastWriteWasAsync'],
      kReadBytesOrError: stream['kReadBytesOrError'],
    }
    for (const name of ['TCP', 'TCPConnectWrap', 'WriteWrap', 'ShutdownWrap'] as const) {
      if (typeof found[name] !== 'function') return null
    }
    for (const name of ['SOCKET', 'kLastWriteWasAsync', 'kReadBytesOrError'] as const) {
      if (typeof found[name] !== 'number') return null
    }
    if (!(found.state instanceof Int32Array)) return null
    // Each member was looked at above.
    const checked = found as Bindings
    const { prototype } = checked.TCP as unknown as { prototype: Record<string, unknown> }
    return HANDLE_METHODS.every(name => typeof prototype[name] === 'function') ? checked : null
  } catch {
    return null
  }
}

/** Bytes of the read being told, or a negative error number (end of stream among them). */
export function readLength(): number {
  return bindings === null ? 0 : (bindings.state[bindings.kReadBytesOrError] ?? 0)
}

/** Used again and again: Node touches a request only if its write does not end at once. */
let spare: HandleRequest | null = null

/** A write's listener: `bytes` of it have left this process after all, or it failed. */
export interface WriteListener {
  onWritten(bytes: number): void
  onWriteFailed(): void
}

/** Writes; strings are latin1. Answers how many bytes are still to leave this process, 0 if all have, -1 if it failed. */
export function writeTo(handle: TcpHandle, data: string | Uint8Array, listener: WriteListener): number {
  if (bindings === null) return -1
  const request = (spare ??= new bindings.WriteWrap())
  const failed = typeof data === 'string' ? handle.writeLatin1String(request, data) : handle.writeBuffer(request, data)
  if (failed !== 0) return -1
  if (bindings.state[bindings.kLastWriteWasAsync] === 0) return 0
  spare = null
  const { length } = data
  if (typeof data !== 'string') request.buffer = data
  request.oncomplete = status => {
    if (status === 0) listener.onWritten(length)
    else listener.onWriteFailed()
  }
  return length
}

/** Sends FIN after what was written. False if that is not possible. */
export function shutDown(handle: TcpHandle, done: () => void): boolean {
  if (bindings === null) return false
  const request = new bindings.ShutdownWrap()
  request.oncomplete = done
  return handle.shutdown(request) === 0
}

/** Dials an IP address; null where a name has to be looked up first, or handles are not to be had. */
export function dialHandle(host: string, port: number, done: (status: number) => void): TcpHandle | null {
  const family = isIPv4(host) ? 4 : isIPv6(host) ? 6 : 0
  if (bindings === null || family === 0) return null
  const handle = new bindings.TCP(bindings.SOCKET)
  const request = new bindings.TCPConnectWrap()
  request.oncomplete = done
  const failed = family === 4 ? handle.connect(request, host, port) : handle.connect6(request, host, port)
  if (failed !== 0) setImmediate(done, failed)
  return handle
}

interface ListeningHandle {
  onconnection: (error: number, accepted: TcpHandle | undefined) => void
}

/** Has a listening server's connections delivered as handles. False where they come as sockets. */
export function acceptHandles(server: Server, accept: (handle: TcpHandle) => void): boolean {
  // `_handle` is not in the types.
  const handle = (server as unknown as { _handle?: Partial<ListeningHandle> | null })._handle
  if (bindings === null || typeof handle?.onconnection !== 'function') return false
  const { TCP } = bindings
  handle.onconnection = (error, accepted) => {
    if (error === 0 && accepted instanceof TCP) accept(accepted)
  }
  return true
}

/** Peer and own address of a connection. */
export function addressesOf(handle: TcpHandle): {
  remoteAddress: string
  remotePort: number
  localAddress: string
  localPort: number
} {
  const peer: Address = {}
  const own: Address = {}
  handle.getpeername(peer)
  handle.getsockname(own)
  return {
    remoteAddress: peer.address ?? '',
    remotePort: peer.port ?? 0,
    localAddress: own.address ?? '',
    localPort: own.port ?? 0,
  }
}
