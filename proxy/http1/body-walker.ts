import { FORBIDDEN_TRAILER, TRAILERS } from './grammar.ts'

/** Longest line of a chunk's size with its extensions, and of a trailer section, in octets. */
const MAX_CHUNK_LINE = 4096
const MAX_TRAILERS = 16 * 1024

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
  /** Ranges of payload within the last walked bytes, start and end in turn; null unless asked for. */
  payload: number[] | null = null
  /** The trailer section, each line with its CRLF, once it is `done`; kept only where payload is asked for. */
  trailers = ''
  #kind: 'none' | 'length' | 'chunked' | 'close' = 'none'
  #left = 0
  #state = SIZE
  #digits = 0
  #line = 0
  #trailers = ''

  /** Chunked: the last chunk that began is whole, and the next has not begun. */
  get betweenChunks(): boolean {
    return this.#state === SIZE && this.#digits === 0 && !this.failed
  }

  start(kind: 'none' | 'length' | 'chunked' | 'close', length: number): void {
    this.#kind = kind
    this.#left = kind === 'length' ? length : 0
    this.#state = SIZE
    this.#digits = 0
    this.#line = 0
    this.#trailers = ''
    this.trailers = ''
    this.failed = false
    this.payload = null
    this.done = kind === 'none'
  }

  /** How far in `bytes[start, end)` the body reaches: `end`, less if it is `done` or `failed` there. */
  walk(bytes: Uint8Array, start: number, end: number): number {
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

  #walkChunks(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end) {
      if (this.#state === DATA) {
        const stop = Math.min(end, at + this.#left)
        this.payload?.push(at, stop)
        this.#left -= stop - at
        at = stop
        if (this.#left === 0) this.#state = DATA_CR
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
          else if (octet === 0x3b) {
            this.#line = 0
            this.#state = EXTENSION
          } else return this.#fail(at)
          break
        }
        case EXTENSION:
          if (octet === CR) this.#state = SIZE_LF
          else if ((octet < 0x20 && octet !== 0x09) || octet === 0x7f || ++this.#line > MAX_CHUNK_LINE) {
            return this.#fail(at)
          }
          break
        case SIZE_LF:
          if (octet !== LF) return this.#fail(at)
          this.#state = this.#left === 0 ? TRAILER : DATA
          break
        case DATA_CR:
          if (octet !== CR) return this.#fail(at)
          this.#state = DATA_LF
          break
        case DATA_LF:
          if (octet !== LF) return this.#fail(at)
          this.#state = SIZE
          this.#digits = 0
          break
        default: {
          this.#trailers += String.fromCharCode(octet)
          if (octet !== LF) {
            if (this.#trailers.length > MAX_TRAILERS) return this.#fail(at)
            break
          }
          if (!this.#trailers.endsWith('\r\n')) return this.#fail(at)
          if (this.#trailers !== '\r\n' && !this.#trailers.endsWith('\r\n\r\n')) break
          const lines = this.#trailers.slice(0, -2)
          if (!TRAILERS.test(lines) || FORBIDDEN_TRAILER.test(lines)) return this.#fail(at)
          this.done = true
          if (this.payload !== null) this.trailers = lines
          return at + 1
        }
      }
      at++
    }
    return at
  }
}

function hexDigit(octet: number): number {
  if (octet >= 48 && octet <= 57) return octet - 48
  const lower = octet | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}
