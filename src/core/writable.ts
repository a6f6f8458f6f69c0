import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { errorMessage } from './errors.ts'

/** More than one commit of a journal; little enough to leave to others what room there is. */
const PROBE_BYTES = 64 * 1024
const POLL_MS = 250

/** Why nothing can be written durably in a folder just now; null: it can. Writes, flushes and removes a small file. */
export async function whyNotWritable(folder: string): Promise<string | null> {
  const path = join(folder, `writable.${process.pid}.tmp`)
  try {
    const file = await open(path, 'w', 0o600)
    try {
      await file.writeFile(Buffer.alloc(PROBE_BYTES, 1))
      // Not only its content: a journal makes files, too.
      await file.sync()
    } finally {
      await file.close()
    }
    return null
  } catch (error) {
    return errorMessage(error)
  } finally {
    await rm(path, { force: true }).catch(() => undefined)
  }
}

/**
 * Waits until a folder can be written durably, looking every 250 ms; `onWait` hears once why it cannot. Answers false
 * where `isGivenUp` says so first.
 */
export async function untilWritable(
  folder: string,
  { onWait, isGivenUp }: { onWait: (why: string) => void; isGivenUp: () => boolean },
): Promise<boolean> {
  let told = false
  for (;;) {
    const why = await whyNotWritable(folder)
    if (why === null) return true
    if (isGivenUp()) return false
    if (!told) onWait(why)
    told = true
    await delay(POLL_MS)
  }
}
