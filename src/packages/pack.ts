import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { create } from 'tar'
import { VipswapError } from '../core/errors.ts'
import { EntryGuard } from './entry-guard.ts'
import { DEFAULT_PACKAGE_LIMITS } from './limits.ts'
import { readDirectory } from './read-directory.ts'

/**
 * A directory as `.tar.gz`, to be sent to the admin API; version control's and desktops' own files are left out,
 * `node_modules` stays. Throws `invalid_package` for names and links that no package may have.
 */
export async function packDirectory(directory: string): Promise<{ readonly stream: Readable }> {
  const guard = new EntryGuard({ ...DEFAULT_PACKAGE_LIMITS, maxFiles: Number.MAX_SAFE_INTEGER })
  const names = await namesIn(directory, guard)
  if (names.length === 0) throw new VipswapError('invalid_package', `${directory} is empty`)
  return { stream: tarStream(directory, names, true) }
}

/** Writes the canonical tar of what is in `directory`, flushed to the disk: sorted, without times and owners. */
export async function writeCanonicalTar(directory: string, file: string): Promise<void> {
  const names = await namesIn(directory)
  await pipeline(tarStream(directory, names, false), createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true }))
}

async function namesIn(directory: string, guard?: EntryGuard): Promise<string[]> {
  const names: string[] = []
  await readDirectory(directory, async entry => {
    guard?.admit(entry)
    // The library takes a leading @ for an archive to be included.
    names.push(`./${entry.name}`)
  })
  return names.sort()
}

function tarStream(directory: string, names: string[], gzip: boolean): Readable {
  const options = { cwd: directory, portable: true, noDirRecurse: true, strict: true, mtime: new Date(0), gzip }
  return Readable.from(create(options, names), { objectMode: false })
}
