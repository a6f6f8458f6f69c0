import type { UpgradeCommand } from '../../contracts/command.ts'
import { own } from '../../core/own.ts'
import type { Release } from '../../model/release.ts'
import { DEFAULT_UPGRADE_POLICY, resolvePolicy } from '../../model/upgrade-policy.ts'
import type { UpgradeMode } from '../../model/states.ts'
import type { Draft } from '../draft.ts'
import { admit } from '../admit.ts'
import { requireDeployment, slotOf } from '../lookup.ts'
import { refuse, refuseIfAny } from '../refusal.ts'
import { checkConfiguration, mergeConfiguration, requireRelease } from '../specs.ts'
import type { DeploymentRecord } from '../state.ts'
import type { Comparison } from '../detect-changes.ts'
import { forbiddenChanges } from './changes.ts'
import { applyCertificates } from '../deployment/renew.ts'
import { changedCertificates, configurationOf, missingCertificates } from '../certificates.ts'
import { refuseFronted } from './fronted.ts'
import { requireProbes } from '../verify/targets.ts'
import { differs } from './changed-roles.ts'
import { beginUpgrade, type Wish } from './begin.ts'

/** The mode of an upgrade that names none. */
export const DEFAULT_MODE: UpgradeMode = 'monitored'

/** Accepts an in-place upgrade, or refuses and changes nothing. Answers the operation's id. */
export function acceptUpgrade(draft: Draft, command: UpgradeCommand): string {
  const deployment = requireDeployment(draft, command.service, command.slot)
  takeOver(draft, deployment, 'upgrade')
  const release = requireRelease(draft.releases, command.package)
  if (command.role !== undefined && own(release.definition.roles, command.role) === undefined) {
    refuse(
      'role_not_found',
      `there is no role "${command.role}"; roles are ${Object.keys(release.definition.roles).join(', ')}`,
    )
  }
  const comparison = compareWith(draft, deployment, release, command)
  const { configuration } = comparison
  refuseFronted(draft, deployment.id, release, command)
  const policy = resolvePolicy(command.policy ?? {}, DEFAULT_UPGRADE_POLICY)
  const leave = { force: command.force, allowRoleChanges: command.allowRoleChanges ?? policy.allowRoleChanges }
  refuseIfAny(forbiddenChanges(draft, comparison, leave))
  if (command.configuration !== undefined) {
    refuseIfAny(checkConfiguration(release.definition.roles, command.configuration))
  }
  refuseIfAny(missingCertificates(release.definition, release, configuration))
  const wish: Wish = {
    mode: command.mode ?? DEFAULT_MODE,
    role: command.role ?? null,
    restartUnchanged: command.restartUnchanged,
    overlap: command.overlap,
    ownPackages: false,
    allowRoleChanges: leave.allowRoleChanges,
    label: command.label ?? release.definition.version,
    policy: command.policy ?? {},
    slot: slotOf(draft, deployment),
    verify: command.verify === true,
  }
  if (wish.verify === true) requireProbes(draft, deployment, release)
  const certificates = changedCertificates(configurationOf(deployment), configuration)
  if (certificates.length > 0 && !differs(draft, deployment.id, release, configuration, wish)) {
    return applyCertificates(draft, deployment.id, command.configuration ?? { roles: {} }, certificates)
  }
  return beginUpgrade(draft, deployment.id, release, configuration, wish)
}

/** What runs beside what an upgrade asks for, under the latest accepted configuration where it brings none. */
export function compareWith(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  release: Release,
  { role, configuration }: Pick<UpgradeCommand, 'role' | 'configuration'>,
): Comparison {
  const latest = configurationOf(deployment)
  return {
    deployment,
    roles: draft.rolesOf(deployment.id),
    release,
    configuration: configuration === undefined ? latest : mergeConfiguration(latest, configuration),
    only: role ?? null,
    slot: slotOf(draft, deployment),
  }
}

/**
 * Takes a deployment over for a walk: refuses where one may not begin, ends what it supersedes (but for the walk that
 * runs: its successor knows where that leads).
 */
export function takeOver(draft: Draft, seen: Readonly<DeploymentRecord>, verb: 'upgrade' | 'configure'): void {
  admit(draft, seen, verb)
  if (seen.state !== 'deploying' && seen.state !== 'starting') return
  const deployment = draft.deployments.edit(seen.id)
  if (deployment !== undefined) deployment.state = 'running'
}
