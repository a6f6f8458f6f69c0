import type { ByteStream } from '../connections/byte-stream.ts'
import type { OwnAnswer } from '../http1/own-answer.ts'

/** The client's side of a request, as the request needs it. */
export interface Caller {
  readonly stream: ByteStream
  /** Address key of the listener it came in by. */
  readonly address: string
  /** `host:port` it connected to. */
  readonly localHost: string
  /** The client has ended its side, and nothing it sent before waits for an answer. */
  readonly halfClosed: boolean
  /** The request is answered by the proxy. */
  answerOwn(answer: OwnAnswer): void
  /** The answer is whole and written; with `close` nothing more is served. */
  answered(close: boolean): void
  /** The answer cannot be made whole: the client must see that. */
  cut(): void
  /** The connection has become a tunnel: what came after the request, or null. */
  tunnelStarted(): Buffer | null
  /** The tunnel is over. */
  tunnelEnded(): void
}
