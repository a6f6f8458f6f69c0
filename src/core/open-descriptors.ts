import { statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'

/** Linux, then other systems. */
const FOLDERS = ['/proc/self/fd', '/dev/fd']

/**
 * Counts this process's open descriptors, few or thousands of them, without keeping it from its work. Linux
 * tells their number since 6.2, as the folder's size. Elsewhere they are listed in the background, which takes
 * milliseconds at some thousands, and what is told is the count before; 0 as long as there is none.
 */
export function descriptorCounter(told: () => number = toldBySystem): () => number {
  let last = 0
  let listing = false
  return () => {
    const count = told()
    if (count > 0) return count
    if (!listing) {
      listing = true
      void list().then(found => {
        last = found
        listing = false
      })
    }
    return last
  }
}

function toldBySystem(): number {
  return statSync('/proc/self/fd', { throwIfNoEntry: false })?.size ?? 0
}

/** 0 on systems that do not tell. */
async function list(): Promise<number> {
  for (const folder of FOLDERS) {
    try {
      return (await readdir(folder)).length
    } catch {
      // Not on this system.
    }
  }
  return 0
}
