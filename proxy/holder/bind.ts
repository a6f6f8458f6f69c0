import { lookup } from 'node:dns/promises'
import net, { isIP } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { errorMessage } from '../../src/core/errors.ts'

/** A TCP socket that is bound but does not listen: workers do. */
export interface BoundHandle {
  readonly port: number
  /** What goes to a worker with `send(message, handle)`. */
  readonly handle: unknown
  close(): void
}

/** One that came from another process. */
export function inheritedHandle(handle: unknown, port: number): BoundHandle {
  // Whatever comes with a listener's message is a TCP handle.
  const tcp = handle as TcpHandle
  return { port, handle, close: () => tcp.close() }
}

interface TcpHandle {
  getsockname(out: { port?: number }): number
  close(): void
}

type CreateServerHandle = (address: string, port: number, addressType: 4 | 6, fd: undefined, flags: number) => unknown

/** Binds `host:port` (0: any free port). Throws an error whose message names the system's code and the address. */
export async function bindTcp(host: string, port: number): Promise<BoundHandle> {
  const address = isIP(host) === 0 ? (await lookup(host)).address : host
  // Node's own way to bind without listening; not in the types.
  const create = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle
  const made = create(address, port, isIP(address) === 6 ? 6 : 4, undefined, 0)
  if (typeof made === 'number') throw bindError(made, host, port)
  // Otherwise it is a TCP handle.
  const handle = made as TcpHandle
  const name: { port?: number } = {}
  // libuv keeps EADDRINUSE back until the socket is used: asking for its name is a use.
  const failed = handle.getsockname(name)
  if (failed !== 0) {
    handle.close()
    throw bindError(failed, host, port)
  }
  return { port: name.port ?? port, handle, close: () => handle.close() }
}

function bindError(errno: number, host: string, port: number): Error {
  return new Error(bindErrorText(getSystemErrorName(errno), host, port))
}

/** `EADDRINUSE: 127.0.0.1:8080 is in use`. */
export function bindErrorText(code: string, host: string, port: number): string {
  if (code === 'EADDRINUSE') return `${code}: ${host}:${port} is in use`
  if (code === 'EACCES') return `${code}: no right to bind ${host}:${port}`
  if (code === 'EADDRNOTAVAIL') return `${code}: ${host} is no address of this machine`
  return `${code}: ${host}:${port} cannot be bound`
}

/** The text of whatever `bindTcp` threw, for an operator. */
export function bindFailure(thrown: unknown, host: string, port: number): string {
  const message = errorMessage(thrown)
  return /^E[A-Z]+: /.test(message) && !message.startsWith('ENOTFOUND') ? message : `${message} (${host}:${port})`
}
