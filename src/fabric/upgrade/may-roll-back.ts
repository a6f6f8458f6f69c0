import { own } from '../../core/own.ts'
import { scaleUnderWay } from '../deployment/scale.ts'
import type { Draft } from '../draft.ts'
import { specOf } from '../instances.ts'
import { stayingCount } from '../lookup.ts'
import { swapsOwnWalk } from '../operations.ts'
import { coresInUse, coresOf, round } from '../quota.ts'
import type { Blocker } from '../refusal.ts'
import { isComposed } from './supersede.ts'
import type { DeploymentRecord, RoleRecord } from '../state.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import type { OperationRecord } from '../operation-record.ts'

/**
 * What speaks against a rollback now, or null: known before anyone asks (Cloud Services, "How to update a cloud service",
 * "Rollback of an update": while at least one instance is not on the new version; never where local resources were
 * increased, nor where the way back from a scale-down would exceed the quota).
 */
export function rollbackBlock(draft: Draft, deployment: Readonly<DeploymentRecord>): Blocker | null {
  const { upgrade, state, id } = deployment
  if (state !== 'running' && state !== 'deploying' && state !== 'starting') {
    return blocked(`deployment ${id} is ${state}: \`vipswap start\` it first`)
  }
  const swaps = swapsOwnWalk(draft, deployment)
  if (swaps !== null) return blocked(swaps)
  const scale = scaleUnderWay(draft, id)
  const roles = draft.rolesOf(id)
  const walk = rollbackBlockedBy(deployment, roles)
  if (walk !== null && scale === null) {
    return blocked(`${walk}: an ended upgrade is undone by swapping back, or by upgrading to the old package`)
  }
  if (upgrade !== null && walk === null) {
    if (!isComposed(upgrade) && Object.values(upgrade.roles).every(({ from, to }) => from === to)) {
      return { code: 'identical_target', message: `the upgrade leads to ${upgrade.from.version}, as a rollback would` }
    }
    const grown = increasedStorage(roles, upgrade)
    if (grown !== null) return blocked(`${grown}: wait for the upgrade, or upgrade again (\`vipswap upgrade\`)`)
  }
  return exceedsQuota(draft, deployment, scale)
}

function blocked(message: string): Blocker {
  return { code: 'rollback_not_allowed', message }
}

/** Local storage that the upgrade makes larger, or adds, in words. */
function increasedStorage(roles: readonly Readonly<RoleRecord>[], upgrade: UpgradeRecord): string | null {
  for (const role of roles) {
    const change = own(upgrade.roles, role.name)
    if (change === undefined) continue
    const before = specOf(role, change.from).definition.localStorage
    for (const { name, sizeBytes } of specOf(role, change.to).definition.localStorage) {
      const was = before.find(storage => storage.name === name)
      if (was !== undefined && was.sizeBytes >= sizeBytes) continue
      return `local storage ${name} of role ${role.name} was ${was === undefined ? 'added' : 'increased'}`
    }
  }
  return null
}

/**
 * Would the instances that the way back from a scale, or from a walk to a smaller count, brings again exceed the quota? Others
 * may have taken the cores. What is there already is nobody's to ask for.
 */
function exceedsQuota(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  scale: OperationRecord | null,
): Blocker | null {
  const { settings } = draft.fabric
  const { quota } = settings
  if (quota === null) return null
  const cores = coresInUse(draft)
  let back = 0
  for (const role of draft.rolesOf(deployment.id)) {
    const staying = stayingCount(role)
    // As large as they were: a walk may have made the others smaller.
    const spec = own(deployment.upgrade?.roles ?? {}, role.name)?.from ?? role.target
    const before = own(scale?.from ?? {}, role.name)
    const count = before == null ? own(deployment.upgrade?.counts ?? {}, role.name)?.from : Number(before)
    back += coresOf(specOf(role, spec).definition, settings) * ((count ?? staying) - staying)
  }
  if (back <= 0 || cores + back <= quota.cores) return null
  return blocked(
    `the instances that would come back need ${round(cores + back)} cores in all, the quota is ${round(quota.cores)}: free cores first, or scale again`,
  )
}

/** Why a walk cannot be rolled back now, or null: it can be exactly while an upgrade is under way and not wholly done. */
function rollbackBlockedBy(
  deployment: Readonly<DeploymentRecord>,
  roles: readonly Readonly<RoleRecord>[],
): string | null {
  const { upgrade } = deployment
  if (upgrade === null) return 'no upgrade is in progress'
  if (upgrade.phase === 'halted') return null
  if (upgrade.direction === 'back') return 'a rollback is already in progress'
  const someOld = roles.some(role => {
    const change = own(upgrade.roles, role.name)
    return change !== undefined && role.instances.some(instance => instance.spec !== change.to)
  })
  if (someOld || upgrade.phase !== 'waiting' || upgrade.position < upgrade.domains.length) return null
  return 'every instance already runs the new version'
}
