import { BodyWalker } from '../http1/body-walker.ts'

const CR = 13
const LF = 10

/**
 * Follows the body of a `text/event-stream` answer as it passes, to know where it may end: after a blank line (no event is
 * cut in two) and, where chunk framing is passed on, between two chunks.
 */
export class EventStream {
  /** Of the chunks, where they are passed on. */
  readonly #framing: BodyWalker | null
  #inLine = false
  #afterCr = false
  /** The last line that ended was empty, or nothing has come yet. */
  #blank = true
  /** Lines end with CR alone: none waits for its LF. */
  #bareCr = false

  /** `chunked`: the bytes to be walked are framed as chunks. */
  constructor(chunked: boolean) {
    this.#framing = chunked ? new BodyWalker() : null
    if (this.#framing === null) return
    this.#framing.start('chunked', 0)
    this.#framing.payload = []
  }

  get atBoundary(): boolean {
    if (!this.#blank || (this.#afterCr && !this.#bareCr)) return false
    return this.#framing === null || this.#framing.betweenChunks
  }

  /**
   * Walks `bytes[start, end)`; `payload`: the ranges of it that are payload, where framing is not passed on. With
   * `stopAtBoundary` answers where the first boundary is, else `end`.
   */
  walk(bytes: Buffer, start: number, end: number, payload: readonly number[] | null, stopAtBoundary: boolean): number {
    if (stopAtBoundary) {
      for (let at = start; at < end; at++) {
        this.#walkPart(bytes, at, at + 1, payload)
        if (this.atBoundary) return at + 1
      }
    } else this.#walkPart(bytes, start, end, payload)
    return end
  }

  #walkPart(bytes: Buffer, start: number, end: number, payload: readonly number[] | null): void {
    let ranges = payload
    if (this.#framing !== null) {
      this.#framing.walk(bytes, start, end)
      ranges = this.#framing.payload
    }
    if (ranges === null) this.#text(bytes, start, end)
    else {
      for (let index = 0; index < ranges.length; index += 2) {
        this.#text(bytes, Math.max(start, ranges[index] ?? end), Math.min(end, ranges[index + 1] ?? end))
      }
    }
  }

  #text(bytes: Buffer, start: number, end: number): void {
    let at = end
    // All that counts is what follows the last octet that ends no line.
    while (at > start && isLineEnd(bytes[at - 1])) at--
    if (at > start) at--
    for (; at < end; at++) this.#octet(bytes[at] ?? 0)
  }

  #octet(octet: number): void {
    if (octet === LF && this.#afterCr) {
      this.#afterCr = false
      this.#bareCr = false
      return
    }
    if (this.#afterCr) this.#bareCr = true
    this.#afterCr = octet === CR
    if (octet === CR || octet === LF) {
      this.#blank = !this.#inLine
      this.#inLine = false
    } else {
      this.#blank = false
      this.#inLine = true
    }
  }
}

function isLineEnd(octet: number | undefined): boolean {
  return octet === CR || octet === LF
}

/** The part of `ranges` (start and end in turn) that lies before `stop`. */
export function clipRanges(ranges: readonly number[], stop: number): number[] {
  const clipped: number[] = []
  for (let index = 0; index < ranges.length; index += 2) {
    const start = ranges[index] ?? stop
    if (start < stop) clipped.push(start, Math.min(stop, ranges[index + 1] ?? stop))
  }
  return clipped
}
