import { instanceName } from '../core/ids.ts'
import { startAnchor } from './anchor.ts'
import type { Crowd } from './crowd.ts'
import type { Draft } from './draft.ts'
import {
  domainAt,
  faultDomainOf,
  mustLeave,
  placeElsewhere,
  placeInstance,
  placeReturning,
  upgradeDomainOf,
} from './placement.ts'
import { type InstanceRecord, type NodeRecord, processesOf, type RoleRecord, type RoleSpec } from './state.ts'
import { roleKey } from './keys.ts'
import { enter } from './way-down.ts'

/**
 * Adds instance `index` to a role, on the role's target spec, in stage `stage`. Refuses where no node can hold it, save what
 * is `returning`: that starts, without what it had stored, on the best node there is. `crowd`: of the role as it is, by who
 * adds many in a row.
 */
export function addInstance(
  draft: Draft,
  role: RoleRecord,
  index: number,
  domains: number,
  stage: 'planned' | 'starting' | 'stopped' | 'returning',
  crowd?: Crowd,
): void {
  const spec = specOf(role, role.target)
  const upstream = spec.definition.upstreams[index]
  const place = { role, placed: role.instances, upgradeDomain: upgradeDomainOf(index, domains), crowd }
  const returning = stage === 'returning'
  const choose = returning ? placeReturning : placeInstance
  const node = upstream === undefined ? choose(draft, place) : null
  const instance: InstanceRecord = {
    id: instanceName(role.name, index),
    index,
    upgradeDomain: domainAt(node, index, domains),
    faultDomain: node === null ? 0 : faultDomainOf(node),
    node: node?.name ?? '',
    spec: role.target,
    incarnation: role.removedIncarnation + 1,
    stage: returning ? 'starting' : stage,
    next: null,
    nextSpec: null,
    nextClean: 'none',
    clean: returning ? 'all' : 'none',
    since: draft.revision,
    anchor: startAnchor(draft.now),
    published: null,
    hopeless: false,
  }
  role.instances.push(instance)
  crowd?.add(role, instance)
}

export function specOf(role: Readonly<RoleRecord>, id: string): RoleSpec {
  const spec = role.specs[id]
  if (spec === undefined) throw new Error(`role ${role.deployment}/${role.name} has no spec ${id}`)
  return spec
}

/** Starts a stopped instance again as it was. */
export function startAgain(draft: Draft, role: RoleRecord, instance: InstanceRecord): void {
  instance.nextSpec = instance.spec
  restart(draft, role, instance)
}

/** Incarnations of an instance only grow, over all its processes. */
export function highestIncarnation(instance: Readonly<InstanceRecord>): number {
  return Math.max(instance.incarnation, instance.beside?.incarnation ?? 0, instance.spent ?? 0)
}

/** Where an instance starts next: its node, or another one if that is to be left and there is one. */
export function homeOf(
  draft: Draft,
  role: Readonly<RoleRecord>,
  instance: Readonly<InstanceRecord>,
): Readonly<NodeRecord> | null {
  const node = draft.nodes.get(instance.node)
  if (node === undefined || !mustLeave(draft, node.name)) return node ?? null
  const placed = role.instances.filter(other => other !== instance)
  const { upgradeDomain } = instance
  return placeElsewhere(draft, { role, placed, upgradeDomain, leaving: node.name }) ?? node
}

/** Gives an instance without a process another node: nothing of its folders comes along. */
export function settleOn(draft: Draft, role: Readonly<RoleRecord>, instance: InstanceRecord, node: NodeRecord): void {
  if (node.name === instance.node) return
  instance.node = node.name
  instance.faultDomain = faultDomainOf(node)
  instance.nextClean = 'all'
  const deployment = draft.deployments.get(role.deployment)
  if (deployment !== undefined && deployment.upgrade === null)
    instance.upgradeDomain = domainAt(node, instance.index, deployment.upgradeDomainCount)
}

/** What is down starts again, on its next spec, with an incarnation that never was. */
export function restart(draft: Draft, role: Readonly<RoleRecord>, instance: InstanceRecord): void {
  const home = homeOf(draft, role, instance)
  if (home !== null) settleOn(draft, role, instance, home)
  instance.incarnation = highestIncarnation(instance) + 1
  instance.spec = instance.nextSpec ?? instance.spec
  instance.clean = instance.nextClean
  instance.next = null
  instance.nextSpec = null
  instance.nextClean = 'none'
  instance.hopeless = false
  enter(draft, instance, 'starting')
}

/** Removes specs that nothing is on or goes to. */
export function pruneSpecs(draft: Draft, deployment: string, name: string): void {
  const role = draft.roles.edit(roleKey(deployment, name))
  if (role === undefined) return
  const used = new Set([
    role.target,
    ...role.instances.flatMap(processesOf).flatMap(({ spec, nextSpec }) => [spec, nextSpec ?? spec]),
  ])
  for (const id of Object.keys(role.specs)) if (!used.has(id)) delete role.specs[id]
}
