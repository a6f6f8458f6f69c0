import type { BrokenCause } from '../../src/contracts/ledger.ts'
import type { ProxyError } from '../http1/own-answer.ts'
import type { ResponseHead } from '../http1/response-head.ts'

/** Why an instance's answer did not become whole. */
export interface UpstreamFailure {
  readonly cause: BrokenCause
  readonly error: ProxyError
  readonly detail: string
  /** Nothing of the request was sent, or the instance said that it did nothing for it (HTTP/2: GOAWAY, REFUSED_STREAM). */
  readonly untouched?: boolean
}

/** The request that an upstream connection works for. */
export interface AnswerSink {
  readonly method: string
  readonly maxHeadBytes: number
  /** An upgrade was asked for and sent on: a 101 may come. */
  readonly mayUpgrade: boolean
  /** The payload alone is wanted, without chunk framing (an HTTP/1.0 or HTTP/2 client). */
  readonly wantsPayloadOnly: boolean
  onConnected(): void
  onConnectFailed(error: Error): void
  onInterim(head: ResponseHead): void
  /** The final head and the first part of its body, `bytes[start, end)`; `payload` as in BodyWalker, `volatile` as in ByteStream. */
  onAnswer(
    head: ResponseHead,
    bytes: Buffer,
    start: number,
    end: number,
    payload: readonly number[] | null,
    volatile: boolean,
  ): void
  onBody(bytes: Buffer, start: number, end: number, payload: readonly number[] | null, volatile: boolean): void
  /** The answer is whole; `reusable`: the connection may serve another request; `trailers` only where the payload alone is wanted. */
  onAnswerEnd(reusable: boolean, trailers: string): void
  /** 101: from here on, and from `bytes[start, end)`, it is a tunnel. */
  onSwitch(head: ResponseHead, bytes: Buffer, start: number, end: number): void
  onUpstreamDrain(): void
  onUpstreamFailure(failure: UpstreamFailure): void
}
