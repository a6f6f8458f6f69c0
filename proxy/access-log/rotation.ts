import { renameSync, statSync } from 'node:fs'

const MAX_BYTES = 100 * 1024 * 1024
const KEPT = 5

/**
 * Renames the access log once it has grown to 100 MiB: `access.log.1` is the newest of five. Workers notice within a
 * second and begin a new file. Does nothing where there is none. Answers whether it did; throws what the system says.
 */
export function rotateAccessLog(path: string, maxBytes = MAX_BYTES): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size < maxBytes) return false
  for (let n = KEPT - 1; n >= 1; n--) {
    if (statSync(`${path}.${n}`, { throwIfNoEntry: false }) !== undefined)
      renameSync(`${path}.${n}`, `${path}.${n + 1}`)
  }
  renameSync(path, `${path}.1`)
  return true
}
