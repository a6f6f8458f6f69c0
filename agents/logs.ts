import { appendFileSync, createReadStream, createWriteStream } from 'node:fs'
import { rename, rm, stat, truncate } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { systemCode } from '../src/core/errors.ts'

const LOG_LIMIT = 10 * 1024 * 1024
const KEPT = 3

/** Adds the agent's own line to an instance's log, between what the instance writes. A full disk loses it, no more. */
export function appendNote(path: string, text: string): void {
  try {
    appendFileSync(path, `[vipswap] ${new Date().toISOString()} ${text}\n`)
  } catch {
    // What is said here is reported to the controller too.
  }
}

/**
 * Copies and truncates a log that outgrew `limit` bytes: writers hold it open with O_APPEND and go on at its new end. Of a
 * log that grew past the limit between two looks only the last `limit` bytes are kept, so that `KEPT` + 1 times the limit
 * bounds the folder. Bytes written between the copy and the cut are lost. True if it rotated.
 */
export async function rotateLog(path: string, limit = LOG_LIMIT): Promise<boolean> {
  const size = await sizeOf(path)
  if (size < limit) return false
  const copy = `${path}.new`
  try {
    await pipeline(createReadStream(path, { start: Math.max(0, size - limit), end: size - 1 }), createWriteStream(copy))
    for (let n = KEPT - 1; n >= 1; n -= 1) await rename(`${path}.${n}`, `${path}.${n + 1}`).catch(ignoreMissing)
    await rename(copy, `${path}.1`)
  } catch {
    // No room for the copy: bounding the log matters more than keeping it.
    await rm(copy, { force: true })
  }
  await truncate(path, 0)
  return true
}

/** Size in bytes, 0 for a file that is not there. */
export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0
    throw error
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
