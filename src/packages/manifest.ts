import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { VipswapError } from '../core/errors.ts'

/** One name inside a package, as it counts for the digest; `path` is relative with `/` and sorts by code unit. */
export type ManifestEntry =
  | { readonly path: string; readonly type: 'directory' }
  | {
      readonly path: string
      readonly type: 'file'
      /** Runnable: any execute bit. Other permission bits do not count. */
      readonly executable: boolean
      readonly sha256: string
      readonly bytes: number
    }
  | { readonly path: string; readonly type: 'link'; readonly target: string }

/** Names left out wherever they stand: what version control and desktops leave behind, never a service's files. */
const SKIPPED: ReadonlySet<string> = new Set(['.git', '.DS_Store'])

export function isSkipped(name: string): boolean {
  return SKIPPED.has(name)
}

/**
 * Everything under `directory`, sorted. Empty directories count, modes other than "executable", times and owners do
 * not. Throws `invalid_package` for what a package cannot hold (sockets, devices, names that are not UTF-8).
 */
export async function readManifest(directory: string): Promise<readonly ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  await collect(directory, '', entries)
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1))
}

async function collect(root: string, prefix: string, into: ManifestEntry[]): Promise<void> {
  for (const name of await readdir(join(root, prefix))) {
    if (isSkipped(name)) continue
    const path = prefix === '' ? name : `${prefix}/${name}`
    // What Node makes of bytes that are not UTF-8: the real name cannot be read back.
    if (name.includes('\uFFFD')) throw new VipswapError('invalid_package', `the name ${path} is not UTF-8; rename it`)
    const full = join(root, path)
    const found = await lstat(full)
    if (found.isDirectory()) {
      into.push({ path, type: 'directory' })
      await collect(root, path, into)
    } else if (found.isFile()) {
      const executable = (found.mode & 0o111) !== 0
      into.push({ path, type: 'file', executable, sha256: await fileDigest(full), bytes: found.size })
    } else if (found.isSymbolicLink()) {
      into.push({ path, type: 'link', target: (await readlink(full)).replaceAll('\\', '/') })
    } else {
      throw new VipswapError('invalid_package', `${path} is neither a file, a folder nor a link; remove it`)
    }
  }
}

async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** SHA-256 of the manifest, 64 lower-case hexadecimal digits. JSON per line, so that no name can imitate another entry. */
export function manifestDigest(entries: readonly ManifestEntry[]): string {
  const hash = createHash('sha256').update('vipswap package 1\n')
  for (const entry of entries) hash.update(`${JSON.stringify(line(entry))}\n`)
  return hash.digest('hex')
}

function line(entry: ManifestEntry): readonly (string | boolean)[] {
  switch (entry.type) {
    case 'directory':
      return ['directory', entry.path]
    case 'file':
      return ['file', entry.path, entry.executable, entry.sha256]
    case 'link':
      return ['link', entry.path, entry.target]
  }
}
