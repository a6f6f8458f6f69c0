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
