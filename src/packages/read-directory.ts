import { createReadStream } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { NO_CONTENT, type EntrySink } from './entry.ts'
import { isSkipped } from './manifest.ts'

/** Hands everything under `directory` to `sink`, sorted; version control's and desktops' own files are left out. */
export async function readDirectory(directory: string, sink: EntrySink, prefix = ''): Promise<void> {
  for (const leaf of (await readdir(join(directory, prefix))).sort()) {
    if (isSkipped(leaf)) continue
    const name = prefix === '' ? leaf : `${prefix}/${leaf}`
    const path = join(directory, name)
    const found = await lstat(path)
    const entry = { name, executable: (found.mode & 0o111) !== 0, target: '', content: NO_CONTENT }
    if (found.isFile()) await sink({ ...entry, type: 'file', content: fileContent(path) })
    else if (found.isSymbolicLink()) await sink({ ...entry, type: 'link', target: await readlink(path) })
    else if (!found.isDirectory()) await sink({ ...entry, type: 'other' })
    else {
      await sink({ ...entry, type: 'directory' })
      await readDirectory(directory, sink, name)
    }
  }
}

/** Opened when it is read, so that who does not want the content leaves no file open. */
async function* fileContent(path: string): AsyncGenerator<Uint8Array> {
  const content: AsyncIterable<Buffer> = createReadStream(path)
  yield* content
}
