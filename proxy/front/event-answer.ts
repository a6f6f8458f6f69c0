import type { ResponseHead } from '../http1/response-head.ts'
import { clipRanges, EventStream } from '../tunnel/event-stream.ts'
import type { Caller } from './caller.ts'

const EVENT_STREAM = /^content-type:[ \t]*text\/event-stream[ \t]*(?:;|$)/im
const LAST_CHUNK = Buffer.from('0\r\n\r\n')

/** An answer that is a stream of events (SSE): passed on as it comes, and ended between two events when it has to end. */
export class EventAnswer {
  readonly #caller: Caller
  readonly #chunked: boolean
  readonly #events: EventStream
  #endWanted = false

  private constructor(caller: Caller, chunked: boolean) {
    this.#caller = caller
    this.#chunked = chunked
    this.#events = new EventStream(chunked)
  }

  /** Null for any other answer, and for one whose length is told: it cannot be shorter. */
  static of(head: ResponseHead, caller: Caller): EventAnswer | null {
    if ((head.body !== 'chunked' && head.body !== 'close') || !EVENT_STREAM.test(head.fields)) return null
    return new EventAnswer(caller, head.body === 'chunked' && !caller.payloadOnly)
  }

  /** It stands between two events: ending it now loses nothing. */
  get atBoundary(): boolean {
    return this.#events.atBoundary
  }

  /** The part of the body that went out with the head. */
  begun(bytes: Buffer, start: number, end: number, payload: readonly number[] | null): void {
    this.#events.walk(bytes, start, end, payload, false)
  }

  /** Passes a further part on. True: it has come to the boundary at which it was to end. */
  pass(bytes: Buffer, start: number, end: number, payload: readonly number[] | null, volatile: boolean): boolean {
    const stop = this.#events.walk(bytes, start, end, payload, this.#endWanted)
    const part = payload === null || stop === end ? payload : clipRanges(payload, stop)
    this.#caller.body(bytes, start, stop, part, volatile)
    return this.#endWanted && this.atBoundary
  }

  /** It is to end at the next boundary. True: it is there. */
  wantEnd(): boolean {
    this.#endWanted = true
    return this.atBoundary
  }

  /** Makes it whole, here, as far as its framing goes. */
  writeEnd(): void {
    if (this.#chunked) this.#caller.body(LAST_CHUNK, 0, LAST_CHUNK.length, null, false)
  }
}
