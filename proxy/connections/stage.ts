import '../http1/octets.ts'

// Where heads and parts of bodies are put together: used up within one call, unless a write of it does not end at once,
// which then keeps it. So there are several sizes: a client that takes nothing keeps at most some times what it was sent.

const SMALL = 4 * 1024
const MIDDLE = 24 * 1024
const LARGE = 192 * 1024

let small = Buffer.allocUnsafeSlow(SMALL)
let middle = Buffer.allocUnsafeSlow(MIDDLE)
let large = Buffer.allocUnsafeSlow(LARGE)

/** `text` (latin1) and `part` in one piece. Valid until the next call, unless `keepJoined` is told that it is still needed. */
export function joinedIn(text: string, part: Buffer): Buffer {
  const size = text.length + part.length
  if (size > LARGE) return copyJoined(text, part)
  const stage = size <= SMALL ? small : size <= MIDDLE ? middle : large
  stage.latin1Write(text, 0)
  part.copy(stage, text.length)
  return stage.subarray(0, size)
}

/** `text` (latin1) and `part` in one piece, in memory of its own. */
export function copyJoined(text: string, part: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(text.length + part.length)
  copy.latin1Write(text, 0)
  part.copy(copy, text.length)
  return copy
}

/** A write of `joined` is under way and keeps its memory: the next ones get other memory. */
export function keepJoined({ buffer }: Buffer): void {
  if (buffer === small.buffer) small = Buffer.allocUnsafeSlow(SMALL)
  else if (buffer === middle.buffer) middle = Buffer.allocUnsafeSlow(MIDDLE)
  else if (buffer === large.buffer) large = Buffer.allocUnsafeSlow(LARGE)
}
