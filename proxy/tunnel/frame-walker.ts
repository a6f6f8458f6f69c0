const CLOSE = 8

/** Finds the boundaries of WebSocket frames (RFC 6455 section 5.2) in one direction, looking at headers only. */
export class FrameWalker {
  /** A Close frame has begun in this direction: no other may follow. */
  sawClose = false
  /** 0 before a frame's first octet, 1 before its second, 2 in its extended length and mask. */
  #header = 0
  #headerLeft = 0
  #lengthBytes = 0
  #length = 0
  #left = 0

  get atBoundary(): boolean {
    return this.#left === 0 && this.#header === 0
  }

  /** Walks `bytes[start, end)`; with `stopAtBoundary` returns where the frame that was under way ends, else `end`. */
  walk(bytes: Uint8Array, start: number, end: number, stopAtBoundary: boolean): number {
    let at = start
    while (at < end) {
      if (stopAtBoundary && this.atBoundary) return at
      if (this.#left > 0) {
        const step = Math.min(this.#left, end - at)
        this.#left -= step
        at += step
        continue
      }
      this.#headerByte(bytes[at] ?? 0)
      at++
    }
    return at
  }

  #headerByte(octet: number): void {
    if (this.#header === 0) {
      if ((octet & 0x0f) === CLOSE) this.sawClose = true
      this.#header = 1
      return
    }
    if (this.#header === 1) {
      const short = octet & 0x7f
      const mask = (octet & 0x80) === 0 ? 0 : 4
      this.#lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
      this.#length = this.#lengthBytes === 0 ? short : 0
      this.#headerLeft = this.#lengthBytes + mask
      this.#header = 2
    } else {
      if (this.#lengthBytes > 0) {
        this.#length = this.#length * 256 + octet
        this.#lengthBytes--
      }
      this.#headerLeft--
    }
    if (this.#headerLeft === 0) {
      this.#left = this.#length
      this.#header = 0
    }
  }
}

/** Close 1001 (going away), as an endpoint sends it: masked toward the instance (RFC 6455 section 5.3), plain toward the client. */
export function closeFrame(masked: boolean): Buffer {
  const code = [0x03, 0xe9]
  // A mask of zeroes is a mask; nothing here needs hiding.
  return Buffer.from(masked ? [0x88, 0x82, 0, 0, 0, 0, ...code] : [0x88, 0x02, ...code])
}
