import { own } from '../../core/own.ts'
import type { Configuration } from '../../model/definition.ts'
import type { Release } from '../../model/release.ts'
import type { Draft } from '../draft.ts'
import { Crowd } from '../crowd.ts'
import { addInstance, specOf } from '../instances.ts'
import { keepUp, takeDown } from '../way-down.ts'
import { missingIndices, stayingCount } from '../lookup.ts'
import { instanceCount } from '../specs.ts'
import type { DeploymentRecord, RoleRecord } from '../state.ts'
import { roleKey } from '../keys.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { isComposed, wholeSpec } from './supersede.ts'

/** Which roles, and how many instances of them, there are at one end of a walk only. */
export type Composition = Pick<UpgradeRecord, 'added' | 'removed' | 'counts'>

/** What of a wish decides which roles there are to be. */
export interface Reach {
  readonly role: string | null
  readonly ownPackages: boolean
  readonly allowRoleChanges: boolean
}

/** How many instances of a role there were as the walk that runs began, and how many it leads to; without one what stays. */
export function countUnderWay(
  upgrade: Readonly<UpgradeRecord> | null,
  role: Readonly<RoleRecord>,
): { was: number; goes: number } {
  const count = own(upgrade?.counts ?? {}, role.name)
  if (upgrade === null || count === undefined) {
    const staying = stayingCount(role)
    return { was: staying, goes: staying }
  }
  return { was: count.from, goes: upgrade.direction === 'forward' ? count.to : count.from }
}

/**
 * The two ends of a walk that begins now. Over a running one it is measured from where that began, as its rollback leads
 * there: a role in both lists belongs to neither end. `sourceOf`: the package that a role is to run.
 */
export function compose(
  { running, roles }: { running: Readonly<UpgradeRecord> | null; roles: readonly Readonly<RoleRecord>[] },
  release: Release,
  configuration: Configuration,
  reach: Reach,
  sourceOf: (role: Readonly<RoleRecord>) => Release,
): Composition {
  const composition: Composition = { added: [], removed: [], counts: {} }
  for (const role of roles) {
    const fresh = running?.added.includes(role.name) === true
    const wanted = countWanted(running, role, own(sourceOf(role).definition.roles, role.name), configuration, reach)
    const from = fresh ? 0 : countUnderWay(running, role).was
    const to = wanted ?? 0
    if (fresh) composition.added.push(role.name)
    if (wanted === null) composition.removed.push(role.name)
    if (fresh || wanted === null || from !== to) composition.counts[role.name] = { from, to }
  }
  if (reach.ownPackages) return composition
  for (const [name, definition] of Object.entries(release.definition.roles)) {
    if (roles.some(role => role.name === name) || (reach.role !== null && reach.role !== name)) continue
    composition.added.push(name)
    composition.counts[name] = { from: 0, to: instanceCount(definition, configuration) }
  }
  return composition
}

/** How many instances of a role there are to be; null: the role is to go. Roles not asked about go where they were going. */
function countWanted(
  running: Readonly<UpgradeRecord> | null,
  role: Readonly<RoleRecord>,
  definition: Release['definition']['roles'][string] | undefined,
  configuration: Configuration,
  { role: only, ownPackages, allowRoleChanges }: Reach,
): number | null {
  const { was, goes } = countUnderWay(running, role)
  const goesAway = running !== null && leavesRole(running, role.name)
  if (only !== null && only !== role.name) return goesAway ? null : goes
  // Without a new package only a configuration asks for another count: a role that did not change keeps an older one's.
  if (ownPackages) return goesAway ? null : (own(configuration.roles, role.name)?.instances ?? goes)
  if (definition !== undefined) return instanceCount(definition, configuration)
  if (allowRoleChanges || running?.added.includes(role.name) === true) return null
  return goesAway ? was : goes
}

/** Is the role not there at the end that the walk goes to? */
function leavesRole({ direction, added, removed }: Readonly<UpgradeRecord>, role: string): boolean {
  return (direction === 'forward' ? removed : added).includes(role)
}

/** Does what runs lead to the same roles and counts? Without a walk: is nothing added, removed or scaled? */
export function leadsThere(running: Readonly<UpgradeRecord> | null, composition: Composition): boolean {
  if (running?.direction !== 'forward') return !isComposed(composition)
  return text(running) === text(composition)
}

function text({ added, removed, counts }: Composition): string {
  const sorted = Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([added.toSorted(), removed.toSorted(), sorted])
}

/**
 * Brings the instances in line with the two ends: what belongs to neither goes at once, what had begun to go and is wanted
 * stays, what had gone comes back empty, and what a larger count asks for is planned. All of it on the version from which
 * the walk leads. Answers the ids of those that come back.
 */
export function settleInstances(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  { added, counts }: Composition,
): string[] {
  return draft.rolesOf(deployment.id).flatMap(({ name }) => {
    const role = draft.roles.edit(roleKey(deployment.id, name))
    if (role === undefined) return []
    const { from, to } = own(counts, name) ?? sameAtBothEnds(deployment, role)
    dropBeyond(draft, role, Math.max(from, to))
    for (const instance of role.instances) {
      if (instance.index >= to || instance.next !== 'remove' || keepUp(draft, instance)) continue
      takeDown(draft, instance, { kind: 'restart', spec: instance.spec })
    }
    // What is added comes with its domain, on the version that is then known; what is fronted has no other.
    if (added.includes(name) || specOf(role, role.target).definition.upstreams.length > 0) return []
    const { target } = role
    role.target = wholeSpec(deployment, name, target)
    const returned: string[] = []
    const crowd = new Crowd(draft, role.instances)
    for (const index of missingIndices(role, to)) {
      const stage = index < from ? 'returning' : 'planned'
      addInstance(draft, role, index, deployment.upgradeDomainCount, stage, crowd)
      if (index < from) returned.push(role.instances.at(-1)?.id ?? '')
    }
    role.target = target
    role.instances.sort((a, b) => a.index - b.index)
    return returned
  })
}

function sameAtBothEnds(
  { upgrade }: Readonly<DeploymentRecord>,
  role: Readonly<RoleRecord>,
): { from: number; to: number } {
  const { was } = countUnderWay(upgrade, role)
  return { from: was, to: was }
}

/** Instances from `count` on go: those that are only planned at once, since no node has heard of them. */
function dropBeyond(draft: Draft, role: RoleRecord, count: number): void {
  for (const instance of role.instances) {
    if (instance.index < count) continue
    // Its incarnation is used up all the same.
    if (instance.stage === 'planned') role.removedIncarnation = Math.max(role.removedIncarnation, instance.incarnation)
    else if (instance.next !== 'remove') takeDown(draft, instance, { kind: 'remove' })
  }
  role.instances = role.instances.filter(({ index, stage }) => index < count || stage !== 'planned')
}

/**
 * Once the roles have their targets: plans what an added or a fronted role is to have, and lets what was planned of it
 * before come as what is wanted now.
 */
export function planAdded(draft: Draft, deployment: Readonly<DeploymentRecord>, { added, counts }: Composition): void {
  for (const [name, { to }] of Object.entries(counts)) {
    const role = draft.roles.edit(roleKey(deployment.id, name))
    if (role === undefined) continue
    if (!added.includes(name) && specOf(role, role.target).definition.upstreams.length === 0) continue
    for (const instance of role.instances) if (instance.stage === 'planned') instance.spec = role.target
    const crowd = new Crowd(draft, role.instances)
    for (const index of missingIndices(role, to))
      addInstance(draft, role, index, deployment.upgradeDomainCount, 'planned', crowd)
    role.instances.sort((a, b) => a.index - b.index)
  }
}
