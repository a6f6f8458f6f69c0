import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { NO_CONTENT, type EntrySink } from './entry.ts'
import { isSkipped } from './manifest.ts'

/** Hands the names of everything under `directory` to `sink`, sorted, without content; version control's and desktops' own files are left out. */
export async function readDirectory(directory: string, sink: EntrySink, prefix = ''): Promise<void> {
  for (const leaf of (await readdir(join(directory, prefix))).sort()) {
    if (isSkipped(leaf)) continue
    const name = prefix === '' ? leaf : `${prefix}/${leaf}`
    const path = join(directory, name)
    const found = await lstat(path)
    const entry = { name, executable: (found.mode & 0o111) !== 0, target: '', content: NO_CONTENT }
    if (found.isFile()) await sink({ ...entry, type: 'file' })
    else if (found.isSymbolicLink()) await sink({ ...entry, type: 'link', target: await readlink(path) })
    else if (!found.isDirectory()) await sink({ ...entry, type: 'other' })
    else {
      await sink({ ...entry, type: 'directory' })
      await readDirectory(directory, sink, name)
    }
  }
}
