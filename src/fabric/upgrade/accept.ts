import type { UpgradeCommand } from '../../contracts/command.ts'
import { own } from '../../core/own.ts'
import type { Configuration } from '../../model/definition.ts'
import type { Release } from '../../model/release.ts'
import type { UpgradePolicySource } from '../../model/upgrade-policy-schema.ts'
import { DEFAULT_UPGRADE_POLICY, resolvePolicy } from '../../model/upgrade-policy.ts'
import type { UpgradeMode } from '../../model/states.ts'
import type { Draft } from '../draft.ts'
import { admit } from '../admit.ts'
import { beginOperation, operationsOn } from '../operations.ts'
import { requireDeployment } from '../lookup.ts'
import { refuse, refuseIfAny } from '../refusal.ts'
import { needsOf, roomBlockers } from '../room.ts'
import {
  canonicalSettings,
  checkConfiguration,
  instanceCount,
  makeSpec,
  mergeConfiguration,
  requireRelease,
} from '../specs.ts'
import { roleKey, type DeploymentRecord, type RoleRecord, type RoleSpec, type UpgradeRecord } from '../state.ts'
import type { Comparison } from '../detect-changes.ts'
import { addInstance, specOf } from '../instances.ts'
import { coresInUse, quotaBlockers } from '../quota.ts'
import { claimAddresses } from './addresses.ts'
import { forbiddenChanges } from './changes.ts'
import { changesEndpoints, createRole, leaves } from './roles.ts'
import { applyCertificates, shownConflicts } from '../deployment/renew.ts'
import { changedCertificates, configurationOf, missingCertificates } from '../certificates.ts'
import { unhealthyNow } from '../health/evaluate.ts'
import { healthOf } from '../health/report.ts'
import { requirePolicy } from './accept-policy.ts'
import { freshClocks } from './clocks.ts'
import { oneDomainNote } from './floor.ts'
import { refuseFronted } from './fronted.ts'
import { describeWalk } from './gate.ts'
import { isComposed, mustMove, orderOfDomains, supersede, wholeEnd, wholeSpec } from './supersede.ts'

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
  }
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

export interface Wish {
  mode: UpgradeMode
  role: string | null
  restartUnchanged: boolean
  /** Over a running walk: begin with the first domain although another may be down. */
  overlap: boolean
  /** A change of settings: each role stays on the package it runs, which need not be the deployment's after an upgrade of one role. */
  ownPackages: boolean
  /** Off: roles that the release does not have are kept. */
  allowRoleChanges: boolean
  label: string
  /** Over the default policy. */
  policy?: UpgradePolicySource
}

/** Roles that `release` under `configuration` would have run otherwise than they do, and how. */
function changedRoles(
  draft: Draft,
  id: string,
  release: Release,
  configuration: Configuration,
  wish: Pick<Wish, 'role' | 'restartUnchanged' | 'ownPackages'>,
): { role: Readonly<RoleRecord>; spec: RoleSpec }[] {
  return draft.rolesOf(id).flatMap(role => {
    const current = role.specs[role.target]
    const source = sourceOf(draft, role, release, wish)
    const definition = own(source.definition.roles, role.name)
    if (definition === undefined || (wish.role !== null && wish.role !== role.name)) return []
    const spec = makeSpec(source, definition, configuration)
    return current !== undefined && isUnchanged(current, spec) && !wish.restartUnchanged ? [] : [{ role, spec }]
  })
}

function sourceOf(
  draft: Draft,
  role: Readonly<RoleRecord>,
  release: Release,
  { ownPackages }: Pick<Wish, 'ownPackages'>,
): Release {
  return ownPackages ? requireRelease(draft.releases, specOf(role, role.target).package) : release
}

/** Roles and instances that are at one end of the walk only. */
function composition(
  draft: Draft,
  id: string,
  release: Release,
  configuration: Configuration,
  wish: Pick<Wish, 'role' | 'ownPackages' | 'allowRoleChanges'>,
): Pick<UpgradeRecord, 'added' | 'removed' | 'counts'> {
  const roles = draft.rolesOf(id)
  const counts: UpgradeRecord['counts'] = {}
  const removed: string[] = []
  for (const role of roles) {
    if (wish.role !== null && wish.role !== role.name) continue
    const definition = own(sourceOf(draft, role, release, wish).definition.roles, role.name)
    const from = role.instances.filter(({ next }) => next !== 'remove').length
    if (definition === undefined) {
      if (wish.role !== null || !wish.allowRoleChanges || wish.ownPackages) continue
      removed.push(role.name)
      counts[role.name] = { from, to: 0 }
    } else {
      // Without a new package only a configuration asks for another count: a role that did not change keeps an older one's.
      const to = wish.ownPackages
        ? (own(configuration.roles, role.name)?.instances ?? from)
        : instanceCount(definition, configuration)
      if (from !== to) counts[role.name] = { from, to }
    }
  }
  const added = wish.ownPackages
    ? []
    : Object.keys(release.definition.roles).filter(
        name => (wish.role === null || wish.role === name) && roles.every(role => role.name !== name),
      )
  for (const name of added) {
    const definition = own(release.definition.roles, name)
    if (definition !== undefined) counts[name] = { from: 0, to: instanceCount(definition, configuration) }
  }
  return { added, removed, counts }
}

/** Is there anything to walk? */
export function differs(draft: Draft, id: string, release: Release, configuration: Configuration, wish: Wish): boolean {
  const { added, removed, counts } = composition(draft, id, release, configuration, wish)
  if (added.length > 0 || removed.length > 0 || Object.keys(counts).length > 0) return true
  return changedRoles(draft, id, release, configuration, wish).length > 0
}

/**
 * Records the walk from what runs to `release` under `configuration`. Over a walk that runs it takes that one's place,
 * begins with the domain in flight, and takes along the roles it does not change itself. Refuses where no role differs
 * from what it runs or goes to.
 */
export function beginUpgrade(
  draft: Draft,
  id: string,
  release: Release,
  configuration: Configuration,
  wish: Wish,
): string {
  const deployment = draft.deployments.edit(id)
  if (deployment === undefined) refuse('deployment_not_found', `there is no deployment ${id}`)
  const { upgrade: running } = deployment
  const policy = resolvePolicy(wish.policy ?? {}, DEFAULT_UPGRADE_POLICY)
  requirePolicy(policy, Object.keys(release.definition.roles))
  deployment.policy = policy
  const baseline = policy.baseline ? unhealthyNow(healthOf(draft), id, draft.rolesOf(id), policy) : []
  const cores = coresInUse(draft)
  const { added, removed, counts } = composition(draft, id, release, configuration, wish)
  const scaling = operationsOn(draft, [id]).find(({ step }) => step === 'scaling')
  if (scaling !== undefined && isComposed({ added, removed, counts })) {
    refuse(
      'operation_in_progress',
      `${scaling.kind} ${scaling.id} is in progress: what adds, removes or scales roles waits for it to end`,
    )
  }
  const needs = needsOf(draft)
  if (running !== null && (isComposed(running) || isComposed({ added, removed, counts })))
    refuse(
      'upgrade_in_progress',
      `${describeWalk(running)}; what adds, removes or scales roles shares its walk with no other`,
    )
  const changed: Record<string, { from: string; to: string }> = {}
  const changes = changedRoles(draft, id, release, configuration, wish)
  // More instances of what runs come on the version that runs; what is fronted has none of them there.
  for (const [name, count] of Object.entries(counts)) growRole(draft, deployment, name, count, false)
  for (const { role: seen, spec } of changes) {
    const role = draft.roles.edit(roleKey(id, seen.name))
    if (role === undefined) continue
    const to = nameOf(draft, role, spec, wish)
    role.specs[to] = { ...(role.specs[to] ?? spec), id: to }
    changed[seen.name] = { from: wholeSpec(deployment, seen.name, role.target), to }
    role.target = to
  }
  for (const [name, count] of Object.entries(counts)) growRole(draft, deployment, name, count, true)
  for (const name of added) {
    const definition = own(release.definition.roles, name)
    if (definition !== undefined) createRole(draft, deployment, definition, release, configuration)
  }
  if (Object.keys(changed).length + Object.keys(counts).length === 0) refuseUnchanged(running, release)
  for (const name of Object.keys(running?.roles ?? {})) {
    const role = draft.roles.get(roleKey(id, name))
    if (role !== undefined) changed[name] ??= { from: wholeSpec(deployment, name, role.target), to: role.target }
  }
  const inFlight = supersede(draft, deployment)
  const whole = wholeEnd(deployment)
  const operation = beginOperation(draft, {
    kind: wish.ownPackages ? 'configure' : 'upgrade',
    service: deployment.service,
    slot: slotOf(draft, deployment),
    deployments: [id],
    step: 'preparing',
    message: `${wish.ownPackages ? 'settings' : 'upgrade'} of ${id} from ${whole.version} to ${release.definition.version} (${wish.mode})${running === null ? '' : `, in place of ${running.operation}`}`,
  })
  operation.from = { version: whole.version, package: whole.package }
  operation.to = { version: release.definition.version, package: release.digest }
  deployment.upgrade = {
    operation: operation.id,
    mode: wish.mode,
    direction: 'forward',
    from: whole,
    to: {
      package: release.digest,
      version: release.definition.version,
      label: wish.label,
      configuration: without(configuration, removed),
      breaksData: release.definition.breaksData,
    },
    roles: changed,
    added,
    removed,
    counts,
    domains: [],
    position: 0,
    phase: 'preparing',
    closing: null,
    inFlight: wish.overlap ? [] : [...inFlight],
    overlap: running !== null && wish.overlap,
    walk: null,
    clocks: freshClocks(draft.now),
    walked: [],
    verified: [],
    failure: null,
    stuck: [],
    baseline,
  }
  deployment.upgrade.domains = domainsOf(draft, id, deployment.upgrade)
  if (changesEndpoints(draft, id, deployment.upgrade)) claimAddresses(draft, deployment)
  else refuseIfAny(shownConflicts(draft, deployment.service))
  refuseIfAny(quotaBlockers(draft, cores))
  refuseIfAny(roomBlockers(draft, needs))
  const note = oneDomainNote(deployment, draft.rolesOf(id), deployment.upgrade)
  if (note !== null) operation.remarks.push(note)
  return operation.id
}

/** Plans the instances that a larger count asks for. */
function growRole(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  name: string,
  { from, to }: { from: number; to: number },
  fronted: boolean,
): void {
  const role = draft.roles.edit(roleKey(deployment.id, name))
  if (role === undefined || specOf(role, role.target).definition.upstreams.length > 0 !== fronted) return
  for (let index = Math.max(from, role.instances.length); index < to; index++)
    addInstance(draft, role, index, deployment.upgradeDomainCount, 'planned')
}

/** Domains with instances that restart, or that come with them, in order, those in flight first. */
function domainsOf(draft: Draft, id: string, upgrade: UpgradeRecord): number[] {
  const domains = draft.rolesOf(id).flatMap(role => {
    const change = own(upgrade.roles, role.name)
    const fresh = upgrade.added.includes(role.name)
    return role.instances
      .filter(instance => !leaves(upgrade, role.name, instance))
      .filter(
        instance => fresh || (change !== undefined && (instance.stage === 'planned' || mustMove(instance, change.to))),
      )
      .map(({ upgradeDomain }) => upgradeDomain)
  })
  return orderOfDomains(domains, upgrade.inFlight ?? [])
}

function without({ roles }: Configuration, removed: readonly string[]): Configuration {
  return { roles: Object.fromEntries(Object.entries(roles).filter(([name]) => !removed.includes(name))) }
}

/**
 * The id under which a role keeps a spec it is to be walked to. What it knows already it goes back to as it is (instances
 * still on it stay); the same again, restarted on purpose, needs a name of its own.
 */
function nameOf(draft: Draft, role: Readonly<RoleRecord>, spec: RoleSpec, { restartUnchanged }: Wish): string {
  return restartUnchanged && role.specs[spec.id] !== undefined ? `${spec.id}-${draft.revision.n}` : spec.id
}

function refuseUnchanged(running: Readonly<UpgradeRecord> | null, { definition }: Release): never {
  if (running === null) {
    refuse(
      'nothing_to_do',
      `every role already runs what ${definition.version} says; \`--restart-unchanged\` restarts them all the same`,
    )
  }
  refuse(
    'identical_target',
    `${describeWalk(running)}; it goes there already (\`vipswap upgrade set --mode …\` changes how)`,
  )
}

function isUnchanged(current: RoleSpec, next: RoleSpec): boolean {
  return (
    current.identity === next.identity &&
    canonicalSettings(current.settings) === canonicalSettings(next.settings) &&
    current.platform.version === next.platform.version &&
    current.platform.trustLevel === next.platform.trustLevel
  )
}

export function slotOf(draft: Draft, deployment: Readonly<DeploymentRecord>): 'production' | 'staging' {
  return draft.services.get(deployment.service)?.slots.staging === deployment.id ? 'staging' : 'production'
}
