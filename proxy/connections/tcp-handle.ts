import { isIPv4, isIPv6, Socket, type Server, type SocketConstructorOpts } from 'node:net'
import {
  HAS_STREAM_HANDLES,
  nodeBinding,
  STREAM_METHODS,
  type HandleRequest,
  type StreamHandle,
} from './stream-handle.ts'

interface Address {
  address?: string
  port?: number
}

/** A TCP connection below net.Socket. */
export interface TcpHandle extends StreamHandle {
  setNoDelay(on: boolean): number
  setKeepAlive(on: boolean, seconds: number): number
  getpeername(out: Address): number
  getsockname(out: Address): number
  connect(request: HandleRequest, address: string, port: number): number
  connect6(request: HandleRequest, address: string, port: number): number
  close(done: () => void): void
  reset(done: () => void): number
}

const TCP_METHODS = [
  ...STREAM_METHODS,
  'setNoDelay',
  'setKeepAlive',
  'getpeername',
  'getsockname',
  'connect',
  'connect6',
  'close',
  'reset',
] as const

interface TcpBinding {
  readonly TCP: new (type: number) => TcpHandle
  readonly TCPConnectWrap: new () => HandleRequest
  readonly constants: { readonly SOCKET: number }
}

const binding = loadBinding()

function loadBinding(): TcpBinding | null {
  const { TCP, TCPConnectWrap, constants } = nodeBinding('tcp_wrap')
  if (!HAS_STREAM_HANDLES || typeof TCP !== 'function' || typeof TCPConnectWrap !== 'function') return null
  if (typeof constants !== 'object' || constants === null || !('SOCKET' in constants)) return null
  // A constructor's prototype, whose members are looked at here.
  const prototype = TCP.prototype as Record<string, unknown>
  if (!TCP_METHODS.every(name => typeof prototype[name] === 'function')) return null
  return { TCP, TCPConnectWrap, constants } as TcpBinding
}

/** Dials an IP address; null where a name has to be looked up first, or handles are not to be had. */
export function dialHandle(host: string, port: number, done: (status: number) => void): TcpHandle | null {
  const family = isIPv4(host) ? 4 : isIPv6(host) ? 6 : 0
  if (binding === null || family === 0) return null
  const handle = new binding.TCP(binding.constants.SOCKET)
  const request = new binding.TCPConnectWrap()
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
  if (binding === null || typeof handle?.onconnection !== 'function') return false
  const { TCP } = binding
  handle.onconnection = (error, accepted) => {
    if (error === 0 && accepted instanceof TCP) accept(accepted)
  }
  return true
}

/** A paused socket around an accepted handle, for what needs one. */
export function socketAround(handle: TcpHandle): Socket {
  // Options of the constructor that the types leave to the server.
  const options = { handle, allowHalfOpen: true, pauseOnCreate: true, readable: true, writable: true }
  return new Socket(options as unknown as SocketConstructorOpts).setNoDelay(true)
}

/** The two ends of a connection; empty where the client has gone again already. */
export function endsOfHandle(handle: TcpHandle): {
  address: string
  port: number
  localAddress: string
  localPort: number
} {
  const peer: Address = {}
  const own: Address = {}
  handle.getpeername(peer)
  handle.getsockname(own)
  return {
    address: peer.address ?? '',
    port: peer.port ?? 0,
    localAddress: own.address ?? '',
    localPort: own.port ?? 0,
  }
}
