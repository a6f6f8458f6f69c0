import { createWriteStream } from 'node:fs'
import { copyFile, mkdir, readdir, stat, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { VipswapError } from '../core/errors.ts'
import type { EntrySink, PackageEntry } from './entry.ts'
import { EntryGuard } from './entry-guard.ts'
import type { PackageLimits } from './limits.ts'

/**
 * Writes what `read` delivers into `directory`, which must be empty or absent. Links are made last, so that nothing
 * is ever written through one. Modes come out as 755 or 644: no set-user-id, no sticky bit, whatever was asked.
 * Throws `invalid_package` or `package_too_large`; what was written until then is the caller's to remove.
 */
export async function unpackInto(
  directory: string,
  limits: PackageLimits,
  read: (sink: EntrySink) => Promise<void>,
): Promise<void> {
  await mkdir(directory, { recursive: true })
  if ((await readdir(directory)).length > 0) throw new VipswapError('internal', `${directory} is not empty`)
  const guard = new EntryGuard(limits)
  const links: { path: string; target: string }[] = []
  const files = new Set<string>()

  await read(async entry => {
    const path = guard.admit(entry)
    if (path === null) return
    const full = join(directory, path)
    await mkdir(entry.type === 'directory' ? full : dirname(full), { recursive: true, mode: 0o755 })
    if (entry.type === 'link') links.push({ path: full, target: entry.target })
    if (entry.type === 'file') {
      files.add(path)
      await writeFile(full, entry, guard)
    }
    if (entry.type === 'hardlink') {
      // Only names that this archive already gave: the copy can neither reach outside nor follow a link.
      const other = entry.target
        .split('/')
        .filter(part => part !== '.' && part !== '')
        .join('/')
      if (!files.has(other)) {
        throw new VipswapError(
          'invalid_package',
          `${path} is a hard link to ${entry.target}, which is no file before it`,
        )
      }
      files.add(path)
      guard.count((await stat(join(directory, other))).size)
      await copyFile(join(directory, other), full)
    }
  })
  for (const { path, target } of links) await symlink(target, path)
}

async function writeFile(path: string, entry: PackageEntry, guard: EntryGuard): Promise<void> {
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of entry.content) {
      guard.count(chunk.byteLength)
      yield chunk
    }
  }
  await pipeline(counted, createWriteStream(path, { flags: 'wx', mode: entry.executable ? 0o755 : 0o644 }))
}
