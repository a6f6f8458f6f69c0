import type { Release } from '../model/release.ts'
import type { Draft } from './draft.ts'
import type { DeploymentRecord, RoleRecord } from './state.ts'

interface Users {
  readonly deployments: Iterable<Readonly<DeploymentRecord>>
  readonly roles: Iterable<Readonly<RoleRecord>>
}

/** Digests of packages that a deployment, an instance or a running upgrade still needs. */
export function releasesInUse({ deployments, roles }: Users): Set<string> {
  const used = new Set<string>()
  for (const deployment of deployments) {
    used.add(deployment.package)
    if (deployment.upgrade === null) continue
    used.add(deployment.upgrade.from.package)
    used.add(deployment.upgrade.to.package)
  }
  for (const role of roles) for (const spec of Object.values(role.specs)) used.add(spec.package)
  return used
}

/** The same content again brings nothing new but signatures. */
export function addRelease(draft: Draft, release: Release): void {
  const { signatures, signedBy } = draft.releases.get(release.digest) ?? {}
  const known = JSON.stringify([signatures, signedBy])
  if (
    draft.releases.get(release.digest) === undefined ||
    known !== JSON.stringify([release.signatures, release.signedBy])
  )
    draft.releases.put(release.digest, release)
}
