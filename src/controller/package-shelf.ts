import type { Readable } from 'node:stream'
import type { GcAnswer } from '../contracts/api/package.ts'
import { releasesInUse } from '../fabric/releases.ts'
import type { FabricState } from '../fabric/state.ts'
import type { Release } from '../model/release.ts'
import type { PackageStore } from '../packages/package-store.ts'
import type { ControllerApi } from './controller-api.ts'
import type { PackageTrust } from './package-trust.ts'
import type { Reconciler } from './reconciler.ts'

interface Parts {
  readonly reconciler: Pick<Reconciler, 'state' | 'settle'>
  readonly packages: Pick<PackageStore, 'addArchive' | 'list' | 'remove'>
  readonly trust: Pick<PackageTrust, 'judge'>
  /** Releases kept besides those in use. */
  readonly keep: number
}

/** Packages on disk and their releases in the journal, which change together: one addition or collection at a time. */
export function createPackageShelf({ reconciler, packages, trust, keep }: Parts): {
  add: ControllerApi['addPackage']
  collect: () => Promise<GcAnswer>
} {
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work)
    last = mine.catch(() => {})
    return mine
  }

  const add = async (stream: Readable, kind: 'gzip' | 'zip', signature?: string) => {
    const { release, created, warnings } = await packages.addArchive(stream, kind === 'gzip' ? 'tar.gz' : 'zip', {
      judge: built => trust.judge(built, signature ?? null),
      // Reading it takes as long as its sender does; only then its turn comes.
      keep: async write =>
        inTurn(async () => {
          const added = await write()
          await reconciler.settle({ kind: 'release-added', release: added.release, certificates: added.certificates })
          return added
        }),
    })
    return {
      created,
      digest: release.digest,
      name: release.definition.name,
      version: release.definition.version,
      warnings: [...warnings.map(({ message }) => message), ...sameVersions(reconciler.state, release)],
      ...(release.signedBy === undefined ? {} : { signedBy: [...release.signedBy] }),
    }
  }

  const collect = async (): Promise<GcAnswer> => {
    const { deployments, roles } = reconciler.state
    const used = releasesInUse({ deployments: Object.values(deployments), roles: Object.values(roles) })
    const spare = (await packages.list()).filter(({ digest }) => !used.has(digest)).slice(keep)
    if (spare.length === 0) return { removed: [] }
    // Forgotten first, removed then: what a create takes up meanwhile is not forgotten, and stays.
    await reconciler.settle({ kind: 'releases-removed', digests: spare.map(({ digest }) => digest) })
    const removed = spare.map(({ digest }) => digest).filter(digest => reconciler.state.releases[digest] === undefined)
    for (const digest of removed) await packages.remove(digest)
    return { removed }
  }

  return { add, collect: async () => inTurn(collect) }
}

/** A version is a label: that it says two things is told, since people take it for more. */
function sameVersions({ releases }: FabricState, { digest, definition: { name, version } }: Release): string[] {
  return Object.values(releases)
    .filter(({ definition: other }) => other.name === name && other.version === version)
    .filter(other => other.digest !== digest)
    .map(
      other =>
        `${name} ${version} is here already with other content (${other.digest.slice(0, 12)}); give it a version of its own`,
    )
}
