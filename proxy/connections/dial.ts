import { getSystemErrorName } from 'node:util'
import type { ByteHandler, ByteStream } from './byte-stream.ts'
import { HandleStream } from './handle-stream.ts'
import { SocketStream } from './socket-stream.ts'

export interface DialOutcome {
  onOpen(): void
  /** Instead of the handler's `onClose`. */
  onFail(error: Error): void
}

/** Dials `host:port`; `outcome` is told once it is open, or that it failed. */
export function dial(host: string, port: number, handler: ByteHandler, outcome: DialOutcome): ByteStream {
  const direct = HandleStream.dial(host, port, handler, {
    onOpen: () => outcome.onOpen(),
    onFail: status => outcome.onFail(new Error(status < 0 ? getSystemErrorName(status) : 'closed before it was open')),
  })
  return direct ?? SocketStream.dial(host, port, handler, outcome)
}
