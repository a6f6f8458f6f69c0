import { open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as delay } from 'node:timers/promises'
import { sizeOf } from './logs.ts'

const CHUNK = 64 * 1024
const FOLLOW_MS = 150
/** A follower that is this far behind a flood is moved to its end. */
const BEHIND = 1024 * 1024

export interface LogReading {
  readonly path: string
  /** Bytes from the end to begin with. */
  readonly tail: number
  readonly follow: boolean
  readonly signal: AbortSignal
  /** Takes a piece; the next one is read when it settles. */
  readonly write: (text: string) => Promise<void>
}

/** Reads the end of a log, and what comes after it if asked, in pieces of at most 64 KiB. Ends with the signal. */
export async function readLog({ path, tail, follow, signal, write }: LogReading): Promise<void> {
  const decoder = new StringDecoder('utf8')
  const copyRange = async (file: string, from: number, to: number): Promise<number> => {
    let at = from
    while (at < to && !signal.aborted) {
      const bytes = await readPiece(file, at, Math.min(CHUNK, to - at))
      if (bytes.length === 0) break
      at += bytes.length
      await write(decoder.write(bytes))
    }
    return at
  }

  const size = await sizeOf(path)
  const older = `${path}.1`
  const olderSize = tail > size ? await sizeOf(older) : 0
  if (olderSize > 0) await copyRange(older, Math.max(0, olderSize - (tail - size)), olderSize)
  let at = await copyRange(path, Math.max(0, size - tail), size)
  while (follow && !signal.aborted) {
    const now = await sizeOf(path)
    // Rotated under us.
    if (now < at) at = 0
    if (now - at > BEHIND) {
      await write(`\n[vipswap] … ${now - at - CHUNK} bytes left out …\n`)
      at = now - CHUNK
    }
    if (now > at) at = await copyRange(path, at, now)
    else await delay(FOLLOW_MS, undefined, { signal, ref: false }).catch(() => {})
  }
}

async function readPiece(path: string, position: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, position)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
