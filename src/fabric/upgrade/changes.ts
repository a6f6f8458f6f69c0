import { userBlockers } from '../processes.ts'
import { own } from '../../core/own.ts'
import type { Release } from '../../model/release.ts'
import { ALLOWED_CHANGES, otherWays } from '../allowed-changes.ts'
import { detectChanges, type Change, type Comparison } from '../detect-changes.ts'
import type { Draft } from '../draft.ts'
import { sizeBlockers } from '../quota.ts'
import type { Blocker } from '../refusal.ts'
import type { RoleRecord } from '../state.ts'
import { instanceCount } from '../specs.ts'
import { specOf } from '../instances.ts'
import { lowestVersion, pathBlocker } from '../version-path.ts'

/** What an operator says of changes. */
export interface Leave {
  /** Local data may be lost. */
  readonly force: boolean
  /** Off: Service Fabric's default services, `EnableDefaultServicesUpgrade=false`. */
  readonly allowRoleChanges: boolean
}

/** What speaks against making these changes in place: each blocker names the change, the rule and the other ways. */
export function forbiddenChanges(draft: Draft, comparison: Comparison, leave: Leave): Blocker[] {
  const { deployment, release } = comparison
  if (release.definition.name !== deployment.service) {
    const message = `the package is of service "${release.definition.name}", not "${deployment.service}"`
    return [{ code: 'change_not_allowed', message }]
  }
  return [
    ...detectChanges(comparison).flatMap(change => judge(change, leave)),
    ...(leave.allowRoleChanges ? [] : modifiedRoles(comparison)),
    ...versionBlockers(draft, comparison),
    ...sizeBlockers(wantedRoles(comparison), draft.fabric.settings),
    ...userBlockers(wantedRoles(comparison), draft.fabric.settings),
  ]
}

function judge(change: Change, { force, allowRoleChanges }: Leave): Blocker[] {
  const { inPlace, rule } = ALLOWED_CHANGES[change.kind]
  if (change.kind === 'roleRemoved' && !allowRoleChanges) return []
  const message = `${change.role === null ? '' : `role ${change.role}: `}${change.what}`
  const ways = otherWays(change.kind, 'inPlace')
  if (inPlace === 'no') return [{ code: 'change_not_allowed', message: `${message}, never in place: ${rule}; ${ways}` }]
  if (inPlace !== 'force' || force) return []
  return [{ code: 'force_required', message: `${message}: ${rule}; repeat it with --force, or ${ways}` }]
}

/** Service Fabric: "a modified existing default service makes the upgrade fail validation" where it is off. */
function modifiedRoles({ roles, release, configuration, only }: Comparison): Blocker[] {
  return roles.flatMap(role => {
    const after = own(release.definition.roles, role.name)
    if (after === undefined || (only !== null && only !== role.name)) return []
    const before = specOf(role, role.target).definition
    const counts = [role.instances.length, instanceCount(after, configuration)]
    const differs = [
      ...(before.kind === after.kind ? [] : ['kind']),
      ...(before.size === after.size ? [] : ['size']),
      ...(counts[0] === counts[1] ? [] : ['number of instances']),
    ]
    if (differs.length === 0) return []
    const message = `role ${role.name}: its ${differs.join(' and ')} differs, and role changes are not allowed (allowRoleChanges): allow them, or leave it as it is`
    return [{ code: 'change_not_allowed' as const, message }]
  })
}

function versionBlockers(draft: Draft, { deployment, roles, release }: Comparison): Blocker[] {
  const path = pathBlocker(draft, lowestVersion(draft, deployment, roles), release)
  if (path === null) return []
  return [{ code: 'change_not_allowed', message: `${path}; or ${otherWays('versionPath', 'inPlace')}` }]
}

function wantedRoles({ release, only }: { release: Release; only: string | null }) {
  return Object.values(release.definition.roles).filter(({ name }) => only === null || name === only)
}

/** Does a walk from one spec to the other give the instances another size? What they stored locally goes then. */
export function isResized(role: Readonly<RoleRecord>, { from, to }: { from: string; to: string }): boolean {
  return specOf(role, from).definition.size !== specOf(role, to).definition.size
}
