import { getSystemErrorName } from 'node:util'
import type { ByteHandler, ByteStream } from './byte-stream.ts'
import { HandleStream } from './handle-stream.ts'
import { SocketStream } from './socket-stream.ts'

export interface DialOutcome {
  onOpen(): void
  /** Instead of the handler's `onClose`. */
  onFail(error: Error): void
}

/** Dials `host:port`; `outcome` is told once it is open, or that it failed: with the system's name of the error as `code`. */
export function dial(host: string, port: number, handler: ByteHandler, outcome: DialOutcome): ByteStream {
  const direct = HandleStream.dial(host, port, handler, {
    onOpen: () => outcome.onOpen(),
    onFail: status => outcome.onFail(dialError(status)),
  })
  return direct ?? SocketStream.dial(host, port, handler, outcome)
}

/** As sockets report it. `status`: a negative error number of the system, or 0 if it was closed. */
export function dialError(status: number): Error {
  if (status >= 0) return new Error('closed before it was open')
  const code = getSystemErrorName(status)
  return Object.assign(new Error(`connect ${code}`), { code })
}
