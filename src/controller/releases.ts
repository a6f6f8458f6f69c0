import type { FabricState } from '../fabric/state.ts'

/** Digests of packages that a deployment, an instance or a running upgrade still needs. */
export function releasesInUse(state: FabricState): string[] {
  const used = new Set<string>()
  for (const deployment of Object.values(state.deployments)) {
    used.add(deployment.package)
    if (deployment.upgrade === null) continue
    used.add(deployment.upgrade.from.package)
    used.add(deployment.upgrade.to.package)
  }
  for (const role of Object.values(state.roles)) for (const spec of Object.values(role.specs)) used.add(spec.package)
  return [...used]
}
