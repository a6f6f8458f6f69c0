import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildRelease, type BuiltRelease } from './build-release.ts'
import { EntryGuard } from './entry-guard.ts'
import { detectKind, removeFolder, unpackArchive } from './ingest.ts'
import { DEFAULT_PACKAGE_LIMITS, type PackageLimits } from './limits.ts'
import { readDirectory } from './read-directory.ts'

/**
 * Checks the package at `path` (directory, `.tar.gz`, `.tgz` or `.zip`) as the store would, and keeps nothing.
 * Throws `invalid_package`, `package_too_large`, `invalid_definition`, `invalid_configuration`.
 */
export async function readPackage(path: string, limits: PackageLimits = DEFAULT_PACKAGE_LIMITS): Promise<BuiltRelease> {
  const kind = await detectKind(path)
  if (kind === 'directory') {
    const guard = new EntryGuard(limits)
    await readDirectory(path, async entry => {
      guard.admit(entry)
    })
    const built = await buildRelease(path)
    guard.count(built.release.bytes)
    return built
  }
  const work = await mkdtemp(join(tmpdir(), 'vipswap-'))
  try {
    return await buildRelease(await unpackArchive(path, kind, work, limits))
  } finally {
    await removeFolder(work)
  }
}
