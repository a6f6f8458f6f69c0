import type { ByteStream } from '../connections/byte-stream.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { AnswerSink } from './answer-sink.ts'

/**
 * A way to an instance for one request at a time: a connection speaking HTTP/1.1, or one stream of HTTP/2. The body is
 * given in HTTP/1.1 framing, as the request's head says.
 */
export interface Upstream {
  /** Bytes handed over that have not left this process. */
  readonly pending: number
  /** As `untaken` of a ByteStream. */
  readonly untaken: number
  /**
   * Sends the head as `text`, perhaps with the first of the body (`initial`, latin1, or `lent`, which may be used in this call
   * only), and expects the answer for `sink`. False: nothing of it was sent, as `sink` is told after this step.
   */
  begin(sink: AnswerSink, head: RequestHead, text: string, initial: string, lent: Buffer | null): boolean
  /** More of the body. */
  write(part: Buffer): void
  /** Stops and goes on reading the answer. */
  pause(): void
  resume(): void
  /** The answer is whole and the way free: keeps it for the next request. `unsent`: bytes of the answer are still pending. */
  release(now: number, unsent: boolean): void
  /** The request is over before its answer: whatever the instance still does, nobody waits for it. */
  abort(): void
  /** After a 101: the stream, which is now the tunnel's. Null where there are no tunnels. */
  tunnel(): ByteStream | null
}
