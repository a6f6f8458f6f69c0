import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Bytes of the files below a folder; 0 where it is not there. Links are not followed, and what goes away meanwhile counts
 * nothing: the number is a measure, not a quota.
 */
export async function folderSize(folder: string): Promise<number> {
  let total = 0
  // One folder at a time: a measure must not compete with the role for the disk.
  const left = [folder]
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
      const at = join(path, entry.name)
      if (entry.isDirectory()) left.push(at)
      else if (entry.isFile()) total += await sizeOf(at)
    }
  }
  return total
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await lstat(file)).size
  } catch {
    return 0
  }
}
