import { own } from '../../core/own.ts'
import type { Slot } from '../../model/slot.ts'
import type { Configuration } from '../../model/definition.ts'
import type { Release } from '../../model/release.ts'
import type { UpgradePolicySource } from '../../model/upgrade-policy-schema.ts'
import { DEFAULT_UPGRADE_POLICY, resolvePolicy } from '../../model/upgrade-policy.ts'
import type { UpgradeMode } from '../../model/states.ts'
import type { Draft } from '../draft.ts'
import { beginOperation, endOperation, operationsOn } from '../operations.ts'
import { slotOf } from '../lookup.ts'
import { refuse, refuseIfAny } from '../refusal.ts'
import { needsOf, roomBlockers } from '../room.ts'
import { secretBlockers } from '../secrets.ts'
import type { InstanceRecord, RoleRecord, RoleSpec } from '../state.ts'
import { roleKey } from '../keys.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { coresInUse, quotaBlockers } from '../quota.ts'
import { claimAddresses } from './addresses.ts'
import { leadsThere, planAdded, settleInstances } from './composition.ts'
import { changesEndpoints, createRole, leaves, returnedNote } from './roles.ts'
import { shownConflicts } from '../deployment/renew.ts'
import { unhealthyNow } from '../health/evaluate.ts'
import { healthOf } from '../health/report.ts'
import { requirePolicy } from './accept-policy.ts'
import { freshClocks } from './clocks.ts'
import { isUnderWay, oneDomainNote } from './floor.ts'
import { describeWalk } from './gate.ts'
import { isComposed, mustMove, orderOfDomains, supersede, wholeEnd, wholeSpec } from './supersede.ts'
import { changedRoles, compositionOf } from './changed-roles.ts'

/** How an upgrade is to be walked, beside the release and configuration it leads to. */
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
  /** Whose values the settings get that belong to a slot. */
  slot: Slot
  /** With traffic of the system's own. */
  verify?: boolean
  /** Over the default policy; or the one that counts already. */
  policy?: UpgradePolicySource | 'kept'
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
  const policy = wish.policy === 'kept' ? deployment.policy : resolvePolicy(wish.policy ?? {}, DEFAULT_UPGRADE_POLICY)
  requirePolicy(policy, Object.keys(release.definition.roles))
  deployment.policy = policy
  const baseline = policy.baseline ? unhealthyNow(healthOf(draft), id, draft.rolesOf(id), policy) : []
  const cores = coresInUse(draft)
  const composition = compositionOf(draft, id, release, configuration, wish)
  const { added, removed } = composition
  const needs = needsOf(draft)
  const changed: Record<string, { from: string; to: string }> = {}
  const changes = changedRoles(draft, id, release, configuration, wish)
  if (changes.length === 0 && leadsThere(running, composition)) refuseUnchanged(running, release)
  refuseIfAny(changes.flatMap(({ spec }) => secretBlockers(spec)))
  const addresses = running !== null && changesEndpoints(draft, id, running)
  if (isComposed(composition)) endScale(draft, id)
  const returned = settleInstances(draft, deployment, composition)
  for (const { role: seen, spec } of changes) {
    const role = draft.roles.edit(roleKey(id, seen.name))
    if (role === undefined) continue
    const to = nameOf(draft, role, spec, wish)
    role.specs[to] = { ...(role.specs[to] ?? spec), id: to }
    changed[seen.name] = { from: wholeSpec(deployment, seen.name, role.target), to }
    role.target = to
  }
  for (const name of added) {
    const definition = own(release.definition.roles, name)
    if (definition !== undefined && draft.roles.get(roleKey(id, name)) === undefined)
      createRole(draft, deployment, definition, release, configuration, wish.slot)
  }
  planAdded(draft, deployment, composition)
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
  if (!wish.ownPackages) operation.signedBy = release.signedBy
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
    ...composition,
    domains: [],
    position: 0,
    phase: 'preparing',
    closing: null,
    inFlight: wish.overlap ? [] : [...inFlight],
    overlap: running !== null && wish.overlap,
    inherited: addresses || returned.length > 0 ? { addresses, returned } : undefined,
    walk: null,
    clocks: freshClocks(draft.now),
    walked: [],
    verified: [],
    failure: null,
    stuck: [],
    baseline,
    ...(wish.verify === true ? { verify: true } : {}),
  }
  if (running !== null && !wish.overlap)
    deployment.upgrade.inFlight?.push(...underWay(draft, id, deployment.upgrade, inFlight))
  deployment.upgrade.domains = domainsOf(draft, id, deployment.upgrade)
  if (addresses || changesEndpoints(draft, id, deployment.upgrade)) claimAddresses(draft, deployment)
  else refuseIfAny(shownConflicts(draft, deployment.service))
  refuseIfAny(quotaBlockers(draft, cores))
  refuseIfAny(roomBlockers(draft, needs))
  if (returned.length > 0) operation.remarks.push(returnedNote(returned))
  const note = oneDomainNote(deployment, draft.rolesOf(id), deployment.upgrade)
  if (note !== null) operation.remarks.push(note)
  return operation.id
}

/** A scale that has not ended is part of where the walk begins: what it asked for belongs to both ends, save what is asked now. */
function endScale(draft: Draft, id: string): void {
  const scaling = operationsOn(draft, [id]).find(({ step }) => step === 'scaling')
  if (scaling === undefined) return
  endOperation(draft, scaling.id, 'Cancelled', { code: 'superseded', message: 'an upgrade that scales took its place' })
}

/** Domains, besides those in flight, where something is being started just now that is to move: they wait for nobody else. */
function underWay(draft: Draft, id: string, upgrade: UpgradeRecord, inFlight: readonly number[]): number[] {
  const domains = draft.rolesOf(id).flatMap(role => {
    const to = own(upgrade.roles, role.name)?.to
    if (to === undefined) return []
    return role.instances
      .filter(instance => isUnderWay(instance) && mustMove(instance, to) && !leaves(upgrade, role.name, instance))
      .map(({ upgradeDomain }) => upgradeDomain)
  })
  return [...new Set(domains)].filter(domain => !inFlight.includes(domain)).toSorted((a, b) => a - b)
}

/** Domains with instances that restart, come with them, or are on their way already; in order, those in flight first. */
function domainsOf(draft: Draft, id: string, upgrade: UpgradeRecord): number[] {
  const domains = draft.rolesOf(id).flatMap(role => {
    const change = own(upgrade.roles, role.name)
    const fresh = upgrade.added.includes(role.name)
    if (change === undefined && !fresh) return []
    const to = change?.to ?? role.target
    return role.instances
      .filter(
        instance => !leaves(upgrade, role.name, instance) && !(instance.stage === 'serving' && isOn(instance, to)),
      )
      .map(({ upgradeDomain }) => upgradeDomain)
  })
  return orderOfDomains(domains, upgrade.inFlight ?? [])
}

function isOn({ spec, next }: Readonly<InstanceRecord>, to: string): boolean {
  return spec === to && next === null
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
