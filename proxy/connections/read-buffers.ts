const SIZE = 128 * 1024
const KEPT = 64

/** The one buffer that every connection without a streaming body reads into. Used up within each read's callback. */
export const sharedBuffer = Buffer.allocUnsafeSlow(SIZE)

const free: Buffer[] = []

/** A buffer for one streaming body. */
export function takeBuffer(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(SIZE)
}

/** Gives a buffer back. Only when no write of its bytes is pending anywhere; otherwise let it go. */
export function giveBuffer(buffer: Buffer): void {
  if (free.length < KEPT) free.push(buffer)
}
