import { instanceName } from '../../core/ids.ts'
import { own } from '../../core/own.ts'
import type { Slot } from '../../model/slot.ts'
import type { Configuration, RoleDefinition } from '../../model/definition.ts'
import type { Release } from '../../model/release.ts'
import { endpointsOfRole } from '../deployment/listeners.ts'
import { Crowd } from '../crowd.ts'
import type { Draft } from '../draft.ts'
import { addInstance, specOf } from '../instances.ts'
import { keepUp, takeDown } from '../way-down.ts'
import { hasCome } from '../seen.ts'
import { missingIndices } from '../lookup.ts'
import { refuseIfAny } from '../refusal.ts'
import { secretBlockers } from '../secrets.ts'
import { instanceCount, makeSpec } from '../specs.ts'
import type { DeploymentRecord, InstanceRecord, RoleRecord } from '../state.ts'
import { roleKey } from '../keys.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'

/** A new role of a deployment with its instances planned: no node has heard of them. */
export function createRole(
  draft: Draft,
  { id, upgradeDomainCount, formerRoles }: Readonly<DeploymentRecord>,
  definition: RoleDefinition,
  release: Release,
  configuration: Configuration,
  slot: Slot,
): RoleRecord {
  const spec = makeSpec(release, definition, configuration, slot)
  refuseIfAny(secretBlockers(spec))
  const record: RoleRecord = draft.roles.put(roleKey(id, definition.name), {
    deployment: id,
    name: definition.name,
    specs: { [spec.id]: spec },
    target: spec.id,
    removedIncarnation: own(formerRoles, definition.name) ?? 0,
    instances: [],
  })
  const count = instanceCount(definition, configuration)
  const crowd = new Crowd(draft, record.instances)
  for (let index = 0; index < count; index++) addInstance(draft, record, index, upgradeDomainCount, 'planned', crowd)
  return record
}

/** Forgets a role whose instances are gone, save how far their incarnations went. */
function deleteRole(draft: Draft, deployment: DeploymentRecord, name: string): void {
  const role = draft.roles.get(roleKey(deployment.id, name))
  if (role === undefined) return
  deployment.formerRoles = { ...deployment.formerRoles, [name]: role.removedIncarnation }
  draft.roles.delete(roleKey(deployment.id, name))
}

/** Is this instance not there any more at the end that the walk goes to? */
export function leaves(upgrade: UpgradeRecord, role: string, { index }: Readonly<InstanceRecord>): boolean {
  const count = own(upgrade.counts, role)
  return count !== undefined && index >= (upgrade.direction === 'forward' ? count.to : count.from)
}

/**
 * Instances of a larger count begin on the old version before the first domain goes down (1 → N scales first). What is
 * fronted has no old version of them: it comes with its domain. True once all have come, or are known to be unable.
 */
export function scaleFirst(draft: Draft, deployment: string, upgrade: UpgradeRecord): boolean {
  for (const name of Object.keys(upgrade.counts)) {
    const role = draft.roles.edit(roleKey(deployment, name))
    for (const instance of role?.instances ?? []) {
      if (instance.stage === 'planned' && isScaled(upgrade, name, instance)) begin(draft, instance)
    }
  }
  const returned = upgrade.inherited?.returned ?? []
  return draft
    .rolesOf(deployment)
    .every(({ name, instances }) =>
      instances.every(
        instance =>
          hasCome(instance) ||
          !(isScaled(upgrade, name, instance) || returned.includes(instance.id)) ||
          instance.next === 'remove',
      ),
    )
}

/** Ids of instances that were to be there first and do not start. */
export function failedToScale(draft: Draft, deployment: string, upgrade: UpgradeRecord): string[] {
  return Object.keys(upgrade.counts).flatMap(name =>
    (draft.roles.get(roleKey(deployment, name))?.instances ?? [])
      .filter(instance => instance.hopeless && isScaled(upgrade, name, instance))
      .map(({ id }) => id),
  )
}

/** Is it one that a larger count brings on the old version? Moved by the walk before this one it is the gates' business. */
function isScaled(upgrade: UpgradeRecord, role: string, instance: Readonly<InstanceRecord>): boolean {
  const count = own(upgrade.counts, role)
  if (count === undefined || instance.index < count.from || leaves(upgrade, role, instance)) return false
  if (comesWithDomain(upgrade, role, instance)) return false
  return instance.spec === (own(upgrade.roles, role)?.from ?? instance.spec)
}

function comesWithDomain(upgrade: UpgradeRecord, role: string, { spec }: Readonly<InstanceRecord>): boolean {
  const change = own(upgrade.roles, role)
  return upgrade.added.includes(role) || (change !== undefined && change.to === spec && change.from !== spec)
}

/** Starts the planned instances of these domains. Answers how many. */
export function beginPlanned(
  draft: Draft,
  deployment: string,
  upgrade: UpgradeRecord,
  domains: readonly number[],
): number {
  let count = 0
  for (const name of Object.keys(upgrade.counts)) {
    for (const instance of draft.roles.edit(roleKey(deployment, name))?.instances ?? []) {
      if (instance.stage !== 'planned' || !domains.includes(instance.upgradeDomain)) continue
      if (leaves(upgrade, name, instance)) continue
      begin(draft, instance)
      count += 1
    }
  }
  return count
}

function begin(draft: Draft, instance: InstanceRecord): void {
  Object.assign(instance, { stage: 'starting', since: draft.revision })
}

/** Takes down what the end does not have; true once all of it is gone. */
export function removeLeavers(draft: Draft, deployment: string, upgrade: UpgradeRecord): boolean {
  let gone = true
  for (const { name } of draft.rolesOf(deployment)) {
    const seen = draft.roles.get(roleKey(deployment, name))
    if (seen === undefined || !seen.instances.some(instance => leaves(upgrade, name, instance))) continue
    const role = draft.roles.edit(roleKey(deployment, name))
    if (role === undefined) continue
    // What was only planned no node has heard of; its incarnation is used up all the same.
    const isUnborn = (instance: InstanceRecord): boolean =>
      instance.stage === 'planned' && leaves(upgrade, name, instance)
    const unborn = role.instances.filter(isUnborn).map(({ incarnation }) => incarnation)
    role.removedIncarnation = Math.max(role.removedIncarnation, ...unborn)
    role.instances = role.instances.filter(instance => !isUnborn(instance))
    for (const instance of role.instances) {
      if (!leaves(upgrade, name, instance)) continue
      gone = false
      if (instance.next !== 'remove') takeDown(draft, instance, { kind: 'remove' })
    }
  }
  return gone
}

/** Forgets the roles that the end does not have. */
export function forgetRoles(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): void {
  for (const name of upgrade.direction === 'forward' ? upgrade.removed : upgrade.added) {
    deleteRole(draft, deployment, name)
  }
}

/**
 * On the way back what had begun to go stays, and what had gone comes back at once, without what it stored locally.
 * Answers the ids of the latter. `upgrade` is the walk forward.
 */
export function revive(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): string[] {
  const revived: string[] = []
  for (const { name } of draft.rolesOf(deployment.id)) {
    const count = own(upgrade.counts, name)
    if (count === undefined || count.to >= count.from) continue
    const role = draft.roles.edit(roleKey(deployment.id, name))
    if (role === undefined) continue
    const spec = own(upgrade.roles, name)?.from ?? role.target
    for (const instance of role.instances) {
      if (instance.next !== 'remove' || keepUp(draft, instance)) continue
      takeDown(draft, instance, { kind: 'restart', spec })
    }
    const crowd = new Crowd(draft, role.instances)
    for (const index of missingIndices(role, count.from)) {
      addInstance(draft, role, index, deployment.upgradeDomainCount, 'returning', crowd)
      revived.push(instanceName(name, index))
    }
    role.instances.sort((a, b) => a.index - b.index)
  }
  return revived
}

/** What a receipt says of instances that come back. */
export function returnedNote(ids: readonly string[]): string {
  return `${ids.join(', ')} had gone and came back without what they had stored locally`
}

/** On the way back: what was brought back is there, or known to be unable. */
export function isRevived(draft: Draft, deployment: string, upgrade: UpgradeRecord): boolean {
  if (upgrade.direction === 'forward') return true
  return Object.keys(upgrade.counts).every(name =>
    (draft.roles.get(roleKey(deployment, name))?.instances ?? []).every(
      instance => leaves(upgrade, name, instance) || hasCome(instance),
    ),
  )
}

/** Do the two ends of a walk listen for other endpoints? */
export function changesEndpoints(draft: Draft, deployment: string, upgrade: UpgradeRecord): boolean {
  if (upgrade.added.length > 0 || upgrade.removed.length > 0) return true
  return Object.entries(upgrade.roles).some(([name, { from, to }]) => {
    const role = draft.roles.get(roleKey(deployment, name))
    return role !== undefined && JSON.stringify(namesOf(role, from)) !== JSON.stringify(namesOf(role, to))
  })
}

function namesOf(role: Readonly<RoleRecord>, spec: string) {
  return endpointsOfRole(role.name, specOf(role, spec)).map(({ endpoint: { name, port, protocol, internal } }) => [
    name,
    port,
    protocol,
    internal,
  ])
}
