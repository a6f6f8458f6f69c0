import './octets.ts'
import { CHUNK_EXTENSIONS, FORBIDDEN_TRAILER, LINE_PART, TRAILER_LINE } from './grammar.ts'

/** Longest extensions of one chunk, and of a trailer section, in octets. */
const MAX_EXTENSIONS = 4096
const MAX_TRAILERS = 16 * 1024
/** Extensions beyond what their chunks make up for, over a whole body: each chunk allows 16 octets and twice its size. */
const MAX_EXCESS = 16 * 1024
const CHUNK_ALLOWANCE = 16

// States of the chunked walk.
const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILER = 6

const CR = 13
const LF = 10

/**
 * Finds where a message's body ends without changing a byte of it: counts for Content-Length, walks sizes for chunked
 * (RFC 9112 section 7.1), never ends for a body that ends with its connection. One is reused for all messages of a connection.
 */
export class BodyWalker {
  done = true
  /** The framing is broken at the index that `walk` returned; nothing from there on may be forwarded. */
  failed = false
  /** Bytes of payload walked so far, of a chunked body. */
  chunked = 0
  /** Ranges of payload within the last walked bytes, start and end in turn; null unless asked for. */
  payload: number[] | null = null
  /** The trailer section, each line with its CRLF, once it is `done`; kept only where payload is asked for. */
  trailers = ''
  #kind: 'none' | 'length' | 'chunked' | 'close' = 'none'
  #left = 0
  #state = SIZE
  #digits = 0
  /** Extensions or a trailer line that have come in so far. */
  #line = ''
  #trailerOctets = 0
  #excess = 0

  /** Chunked: the last chunk that began is whole, and the next has not begun. */
  get betweenChunks(): boolean {
    return this.#state === SIZE && this.#digits === 0 && !this.failed
  }

  start(kind: 'none' | 'length' | 'chunked' | 'close', length: number): void {
    this.#kind = kind
    this.#left = kind === 'length' ? length : 0
    this.#state = SIZE
    this.#digits = 0
    this.#line = ''
    this.trailers = ''
    this.#trailerOctets = 0
    this.#excess = 0
    this.failed = false
    this.chunked = 0
    this.payload = null
    this.done = kind === 'none'
  }

  /** How far in `bytes[start, end)` the body reaches: `end`, less if it is `done` or `failed` there. */
  walk(bytes: Buffer, start: number, end: number): number {
    if (this.payload !== null) this.payload = []
    if (this.done) return start
    if (this.#kind === 'chunked') return this.#walkChunks(bytes, start, end)
    if (this.#kind === 'close') {
      this.payload?.push(start, end)
      return end
    }
    const stop = Math.min(end, start + this.#left)
    this.#left -= stop - start
    if (this.#left === 0) this.done = true
    this.payload?.push(start, stop)
    return stop
  }

  #fail(at: number): number {
    this.failed = true
    return at
  }

  #walkChunks(bytes: Buffer, start: number, end: number): number {
    let at = start
    while (at < end) {
      if (this.#state === DATA) {
        const stop = Math.min(end, at + this.#left)
        this.payload?.push(at, stop)
        this.#left -= stop - at
        this.chunked += stop - at
        at = stop
        if (this.#left === 0) this.#state = DATA_CR
        continue
      }
      if (this.#state === EXTENSION) {
        const stop = this.#walkExtensions(bytes, at, end)
        if (this.failed) return at
        at = stop
        continue
      }
      if (this.#state === TRAILER) {
        const stop = this.#walkTrailer(bytes, at, end)
        if (this.failed) return at
        at = stop
        if (this.done) return at
        continue
      }
      const octet = bytes[at] ?? 0
      switch (this.#state) {
        case SIZE: {
          const digit = hexDigit(octet)
          if (digit >= 0) {
            // 12 digits stay exact in a double and are more than any body.
            if (++this.#digits > 12) return this.#fail(at)
            this.#left = this.#left * 16 + digit
          } else if (this.#digits === 0) return this.#fail(at)
          else if (octet === CR) this.#state = SIZE_LF
          else if (octet === 0x3b || octet === 0x20 || octet === 0x09) {
            this.#line = ''
            this.#state = EXTENSION
            continue
          } else return this.#fail(at)
          break
        }
        case SIZE_LF:
          if (octet !== LF) return this.#fail(at)
          this.#line = ''
          this.#state = this.#left === 0 ? TRAILER : DATA
          break
        case DATA_CR:
          if (octet !== CR) return this.#fail(at)
          this.#state = DATA_LF
          break
        default:
          if (octet !== LF) return this.#fail(at)
          this.#state = SIZE
          this.#digits = 0
      }
      at++
    }
    return at
  }

  /** Extensions up to their CR. Parts are looked at as they come, so that no odd octet is ever sent on. */
  #walkExtensions(bytes: Buffer, start: number, end: number): number {
    const found = bytes.indexOf(CR, start)
    const stop = found === -1 || found >= end ? end : found
    const part = bytes.latin1Slice(start, Math.min(stop, start + MAX_EXTENSIONS + 1))
    this.#line += part
    if (!LINE_PART.test(part) || this.#line.length > MAX_EXTENSIONS) return this.#fail(start)
    if (stop === end) return end
    if (!CHUNK_EXTENSIONS.test(this.#line)) return this.#fail(start)
    this.#excess = Math.max(0, this.#excess + this.#line.length - CHUNK_ALLOWANCE - 2 * this.#left)
    if (this.#excess > MAX_EXCESS) return this.#fail(start)
    this.#state = SIZE_LF
    return stop + 1
  }

  /** One line of the trailer section, or what there is of it. */
  #walkTrailer(bytes: Buffer, start: number, end: number): number {
    const found = bytes.indexOf(LF, start)
    const whole = found !== -1 && found < end
    const stop = whole ? found + 1 : end
    this.#trailerOctets += stop - start
    if (this.#trailerOctets > MAX_TRAILERS) return this.#fail(start)
    const part = bytes.latin1Slice(start, stop)
    if (!whole) {
      if (this.#line.endsWith('\r') || !LINE_PART.test(part)) return this.#fail(start)
      this.#line += part
      return stop
    }
    const line = this.#line + part
    if (line === '\r\n') this.done = true
    else if (!TRAILER_LINE.test(line) || FORBIDDEN_TRAILER.test(line)) return this.#fail(start)
    else if (this.payload !== null) this.trailers += line
    this.#line = ''
    return stop
  }
}

function hexDigit(octet: number): number {
  if (octet >= 48 && octet <= 57) return octet - 48
  const lower = octet | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}
