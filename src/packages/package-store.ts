import { createReadStream, mkdirSync, rmSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { syncDirectory, writeFileAtomic } from '../core/atomic-file.ts'
import { VipswapError, systemCode } from '../core/errors.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Fault } from '../model/fault.ts'
import type { Release } from '../model/release.ts'
import { buildRelease } from './build-release.ts'
import { removeFolder, unpackArchive, type ArchiveKind } from './ingest.ts'
import { DEFAULT_PACKAGE_LIMITS, type PackageLimits } from './limits.ts'
import { writeCanonicalTar } from './pack.ts'

interface AddedPackage {
  readonly release: Release
  /** With their keys; they are kept in the packages themselves and by the journal, never beside the release. */
  readonly certificates: readonly Certificate[]
  readonly warnings: readonly Fault[]
  /** False where the same content was there before. */
  readonly created: boolean
}

interface AddOptions {
  /** Sees the release (with what is known of the same content) before anything is kept; answers it as it is to be kept, or throws. */
  readonly judge?: (release: Release) => Release
  /** Around the writing, once all of the archive has been read: what else must happen with it, and not meanwhile. */
  readonly keep?: (write: () => Promise<AddedPackage>) => Promise<AddedPackage>
}

export interface PackageStore {
  /**
   * From a stream or a file. Throws `invalid_package`, `package_too_large`, `invalid_definition`, `invalid_configuration`,
   * and what `judge` and `keep` throw.
   */
  addArchive(source: Readable | string, kind: ArchiveKind, options?: AddOptions): Promise<AddedPackage>
  get(digest: string): Promise<Release | null>
  /** The canonical tar. The stream fails with ENOENT where the package is not there. */
  open(digest: string): Readable
  /** The one added last comes first. */
  list(): Promise<readonly Release[]>
  /** True where it was there. */
  remove(digest: string): Promise<boolean>
}

const DIGEST = /^[0-9a-f]{64}$/

/**
 * Packages under `directory/packages`: `<digest>.tar` (canonical) and `<digest>.json` (its Release). A package is there
 * when its JSON is: it is written last and removed first, so a crash leaves no half package that counts.
 * One process at a time: what unfinished ingests of an earlier one left is removed here.
 */
export function createPackageStore(directory: string, limits: PackageLimits = DEFAULT_PACKAGE_LIMITS): PackageStore {
  const folder = join(directory, 'packages')
  const work = join(folder, 'tmp')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true, mode: 0o700 })
  const tarFile = (digest: string) => join(folder, `${digest}.tar`)
  const jsonFile = (digest: string) => join(folder, `${digest}.json`)

  async function add(
    unpack: (work: string) => Promise<string>,
    { judge = release => release, keep = async write => write() }: AddOptions,
  ): Promise<AddedPackage> {
    const mine = await mkdtemp(join(work, 'in-'))
    try {
      const root = await unpack(mine)
      const built = await buildRelease(root)
      return await keep(async () => {
        const { digest } = built.release
        const known = await get(digest)
        const signatures = known?.signatures === undefined ? {} : { signatures: known.signatures }
        const release = judge({ ...built.release, ...signatures })
        if (known === null) {
          const tar = join(mine, 'package.tar')
          await writeCanonicalTar(root, tar)
          await rename(tar, tarFile(digest))
          syncDirectory(folder)
        }
        // Written anew for its signatures where it is known; its time says when it was added last.
        writeFileAtomic(jsonFile(digest), JSON.stringify(release))
        return { ...built, release, created: known === null }
      })
    } finally {
      await removeFolder(mine)
    }
  }

  async function get(digest: string): Promise<Release | null> {
    if (!DIGEST.test(digest)) return null
    try {
      await stat(tarFile(digest))
      // Written by us and renamed whole.
      return JSON.parse(await readFile(jsonFile(digest), 'utf8')) as Release
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return null
      throw error
    }
  }

  async function list(): Promise<readonly Release[]> {
    const found: { release: Release; at: number }[] = []
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.json')) continue
      const release = await get(name.slice(0, -'.json'.length))
      if (release !== null) found.push({ release, at: (await stat(join(folder, name))).mtimeMs })
    }
    const order = found.sort((a, b) => b.at - a.at || (a.release.digest < b.release.digest ? -1 : 1))
    return order.map(({ release }) => release)
  }

  async function remove(digest: string): Promise<boolean> {
    if ((await get(digest)) === null) return false
    await rm(jsonFile(digest), { force: true })
    syncDirectory(folder)
    await rm(tarFile(digest), { force: true })
    return true
  }

  return {
    async addArchive(source, kind, options = {}) {
      // An upload may break before its reading begins; that it did is found then.
      if (typeof source !== 'string') source.on('error', () => {})
      return add(async mine => unpackArchive(source, kind, mine, limits), options)
    },
    get,
    open(digest) {
      if (!DIGEST.test(digest)) throw new VipswapError('package_not_found', `"${digest}" is no digest of a package`)
      return createReadStream(tarFile(digest))
    },
    list,
    remove,
  }
}
