import type { UpgradeCommand } from '../../contracts/command.ts'
import { own } from '../../core/own.ts'
import type { Configuration } from '../../model/definition.ts'
import type { Release } from '../../model/release.ts'
import type { UpgradePolicySource } from '../../model/upgrade-policy-schema.ts'
import { DEFAULT_UPGRADE_POLICY, resolvePolicy } from '../../model/upgrade-policy.ts'
import type { UpgradeMode } from '../../model/states.ts'
import type { Draft } from '../draft.ts'
import { beginOperation, requireFree } from '../operations.ts'
import { requireDeployment } from '../lookup.ts'
import { refuse, refuseIfAny } from '../refusal.ts'
import { canonicalSettings, checkConfiguration, makeSpec, mergeConfiguration, requireRelease } from '../specs.ts'
import { roleKey, type DeploymentRecord, type RoleRecord, type RoleSpec } from '../state.ts'
import { forbiddenChanges } from './changes.ts'
import { applyCertificates, shownConflicts } from '../deployment/renew.ts'
import { changedCertificates, missingCertificates } from '../certificates.ts'
import { unhealthyNow } from '../health/evaluate.ts'
import { healthOf } from '../health/report.ts'
import { requirePolicy } from './accept-policy.ts'
import { freshClocks } from './clocks.ts'
import { describeWalk } from './gate.ts'

/** The mode of an upgrade that names none. */
const DEFAULT_MODE: UpgradeMode = 'monitored'

/** Accepts an in-place upgrade, or refuses and changes nothing. Answers the operation's id. */
export function acceptUpgrade(draft: Draft, command: UpgradeCommand): string {
  const deployment = requireDeployment(draft, command.service, command.slot)
  requireUpgradable(draft, deployment)
  const release = requireRelease(draft.releases, command.package)
  const roles = draft.rolesOf(deployment.id)
  refuseIfAny(forbiddenChanges(deployment, roles, release.definition))
  if (command.role !== undefined && own(release.definition.roles, command.role) === undefined) {
    refuse(
      'role_not_found',
      `there is no role "${command.role}"; roles are ${Object.keys(release.definition.roles).join(', ')}`,
    )
  }
  const configuration =
    command.configuration === undefined
      ? deployment.configuration
      : mergeConfiguration(deployment.configuration, command.configuration)
  if (command.configuration !== undefined) {
    refuseIfAny(checkConfiguration(release.definition.roles, command.configuration))
    for (const [name, role] of Object.entries(command.configuration.roles)) {
      const running = roles.find(candidate => candidate.name === name)?.instances.length
      if (role.instances !== undefined && role.instances !== running) {
        refuse(
          'change_not_allowed',
          `role ${name} runs ${running} instances: scale first (\`vipswap scale ${name}=${role.instances}\`), then upgrade`,
        )
      }
    }
  }
  refuseIfAny(missingCertificates(release.definition, release, configuration))
  const wish: Wish = {
    mode: command.mode ?? DEFAULT_MODE,
    role: command.role ?? null,
    restartUnchanged: command.restartUnchanged,
    ownPackages: false,
    label: command.label ?? release.definition.version,
    policy: command.policy ?? {},
  }
  const certificates = changedCertificates(deployment.configuration, configuration)
  if (certificates.length > 0 && changedRoles(draft, deployment.id, release, configuration, wish).length === 0) {
    return applyCertificates(draft, deployment.id, command.configuration ?? { roles: {} }, certificates)
  }
  return beginUpgrade(draft, deployment.id, release, configuration, wish)
}

/** Is the deployment in a state from which a walk may begin? Refuses if not. */
export function requireUpgradable(draft: Draft, deployment: Readonly<DeploymentRecord>): void {
  if (deployment.upgrade !== null) {
    refuse('upgrade_in_progress', describeWalk(deployment.upgrade))
  }
  requireFree(draft, [deployment.id])
  if (deployment.state !== 'running' && deployment.state !== 'deploying') {
    refuse('not_running', `deployment ${deployment.id} is ${deployment.state}: \`vipswap start\` it first`)
  }
  const service = draft.services.get(deployment.service)
  if (service?.prepared) refuse('operation_in_progress', 'a swap is prepared: commit or cancel it first')
  // One walk at a time per service, over both slots.
  const walking = Object.values(service?.slots ?? {}).find(
    id => id !== null && id !== deployment.id && draft.deployments.get(id)?.upgrade,
  )
  if (walking)
    refuse('upgrade_in_progress', `deployment ${walking} of the same service is being upgraded: one walk at a time`)
}

export interface Wish {
  mode: UpgradeMode
  role: string | null
  restartUnchanged: boolean
  /** Each role stays on the package it runs, which need not be the deployment's after an upgrade of one role. */
  ownPackages: boolean
  label: string
  /** Over the default policy. */
  policy?: UpgradePolicySource
}

/** Roles that `release` under `configuration` would have run otherwise than they do, and how. */
export function changedRoles(
  draft: Draft,
  id: string,
  release: Release,
  configuration: Configuration,
  wish: Pick<Wish, 'role' | 'restartUnchanged' | 'ownPackages'>,
): { role: Readonly<RoleRecord>; spec: RoleSpec }[] {
  return draft.rolesOf(id).flatMap(role => {
    const current = role.specs[role.target]
    const source = wish.ownPackages && current !== undefined ? requireRelease(draft.releases, current.package) : release
    const definition = own(source.definition.roles, role.name)
    if (definition === undefined || (wish.role !== null && wish.role !== role.name)) return []
    const spec = makeSpec(source, definition, configuration)
    return current !== undefined && isUnchanged(current, spec) && !wish.restartUnchanged ? [] : [{ role, spec }]
  })
}

/** Records the walk from what runs to `release` under `configuration`; refuses with `nothing_to_do` if no role differs. */
export function beginUpgrade(
  draft: Draft,
  id: string,
  release: Release,
  configuration: Configuration,
  wish: Wish,
): string {
  const deployment = draft.deployments.edit(id)
  if (deployment === undefined) refuse('deployment_not_found', `there is no deployment ${id}`)
  const policy = resolvePolicy(wish.policy ?? {}, DEFAULT_UPGRADE_POLICY)
  requirePolicy(policy, Object.keys(release.definition.roles))
  deployment.policy = policy
  const baseline = policy.baseline ? unhealthyNow(healthOf(draft), id, draft.rolesOf(id), policy) : []
  const changed: Record<string, { from: string; to: string }> = {}
  const domains = new Set<number>()
  for (const { role: seen, spec } of changedRoles(draft, id, release, configuration, wish)) {
    const role = draft.roles.edit(roleKey(id, seen.name))
    if (role === undefined) continue
    // The same identity and settings restarted on purpose still needs a name of its own to be walked to.
    const to = role.specs[spec.id] === undefined ? spec.id : `${spec.id}-${draft.revision.n}`
    role.specs[to] = { ...spec, id: to }
    changed[seen.name] = { from: role.target, to }
    role.target = to
    for (const instance of role.instances) domains.add(instance.upgradeDomain)
  }
  if (Object.keys(changed).length === 0) {
    refuse(
      'nothing_to_do',
      `every role already runs what ${release.definition.version} says; \`--restart-unchanged\` restarts them all the same`,
    )
  }
  const operation = beginOperation(draft, {
    kind: 'upgrade',
    service: deployment.service,
    slot: slotOf(draft, deployment),
    deployments: [id],
    step: 'preparing',
    message: `upgrade of ${id} from ${deployment.version} to ${release.definition.version} (${wish.mode})`,
  })
  operation.from = { version: deployment.version, package: deployment.package }
  operation.to = { version: release.definition.version, package: release.digest }
  const order = [...domains].toSorted((a, b) => a - b)
  deployment.upgrade = {
    operation: operation.id,
    mode: wish.mode,
    direction: 'forward',
    from: {
      package: deployment.package,
      version: deployment.version,
      label: deployment.label,
      configuration: deployment.configuration,
      breaksData: deployment.breaksData,
    },
    to: {
      package: release.digest,
      version: release.definition.version,
      label: wish.label,
      configuration,
      breaksData: release.definition.breaksData,
    },
    roles: changed,
    domains: order,
    position: 0,
    phase: 'preparing',
    walk: null,
    clocks: freshClocks(draft.now),
    walked: [],
    verified: [],
    failure: null,
    stuck: [],
    baseline,
  }
  refuseIfAny(shownConflicts(draft, deployment.service))
  return operation.id
}

function isUnchanged(current: RoleSpec, next: RoleSpec): boolean {
  return current.identity === next.identity && canonicalSettings(current.settings) === canonicalSettings(next.settings)
}

export function slotOf(draft: Draft, deployment: Readonly<DeploymentRecord>): 'production' | 'staging' {
  return draft.services.get(deployment.service)?.slots.staging === deployment.id ? 'staging' : 'production'
}
