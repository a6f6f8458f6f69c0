import type { ByteStream } from '../connections/byte-stream.ts'
import type { Peer } from '../connections/peer.ts'
import type { ExposedInstance } from '../http1/forwarded-answer.ts'
import type { OwnAnswer } from '../http1/own-answer.ts'
import type { ResponseHead } from '../http1/response-head.ts'

/**
 * The client's side of a request, as the request needs it: a connection speaking HTTP/1.1, or one stream of HTTP/2. Bodies
 * pass in HTTP/1.1 framing both ways (Content-Length or chunked, as the head says), whatever is spoken on the wire.
 */
export interface Caller {
  readonly peer: Peer
  /** Address key of the listener it came in by. */
  readonly address: string
  /** Bytes of answers handed over that have not left this process. */
  readonly pending: number
  /** As `untaken` of a ByteStream. */
  readonly untaken: number
  /** Bytes given to `Exchange.onRequestBytes` are volatile (see ByteStream). */
  readonly volatile: boolean
  /** The payload of answers is wanted without chunk framing. */
  readonly payloadOnly: boolean
  /** Its connection ends with the present answer: this worker stops, or the address is served no more. */
  readonly closing: boolean
  /** The client has ended its side, and nothing it sent before waits for an answer. */
  readonly halfClosed: boolean
  /** Stops and goes on reading the request's body. */
  pause(): void
  resume(): void
  /** An interim answer (1xx). */
  interim(head: ResponseHead): void
  /**
   * The head of the answer with the first part of its body. `last`: the connection ends with it, for a reason that neither
   * head gives; `exposed`: named to the client.
   */
  answer(
    head: ResponseHead,
    last: boolean,
    exposed: ExposedInstance | null,
    bytes: Buffer,
    start: number,
    end: number,
    payload: readonly number[] | null,
    volatile: boolean,
  ): void
  /** A further part, framed as HTTP/1.1 frames it; `payload` as in BodyWalker, `volatile` as in ByteStream. */
  body(bytes: Buffer, start: number, end: number, payload: readonly number[] | null, volatile: boolean): void
  /** The answer is whole, at `now`; `trailers`: its trailer section, each line with CRLF, only where `payloadOnly`. */
  answered(trailers: string, now: number): void
  /** The request is answered by the proxy. */
  answerOwn(answer: OwnAnswer): void
  /** The answer cannot be made whole: the client must see that. */
  cut(): void
  /**
   * The connection becomes a tunnel: the 101 goes out. Gives the client's stream and what came after the request; null where
   * the protocol has no tunnels.
   */
  becomeTunnel(head: ResponseHead, exposed: ExposedInstance | null): { stream: ByteStream; early: Buffer | null } | null
  /** The tunnel is over. */
  tunnelEnded(): void
}
