import { hasReached } from '../contracts/revision.ts'
import { instanceName } from '../core/ids.ts'
import { elapsedMs, startAnchor } from './anchor.ts'
import { allAcknowledged, inFlightSince, waivedFor, type Waived } from './acknowledgements.ts'
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
import { noteDrained } from './around.ts'
import { probingNode, unasked } from './fronted.ts'
import { hasChangedStorage, noteStorage, overfullOf } from './storage.ts'
import {
  instanceKey,
  processesOf,
  roleKey,
  targetKey,
  type InstanceRecord,
  type NodeRecord,
  type ProcessRecord,
  type Published,
  type RoleRecord,
  type RoleSpec,
  type Stage,
} from './state.ts'

/** After the drain deadline the proxy still closes tunnels in good order; the process is told to stop this much later. */
export const DRAIN_GRACE_MS = 5000

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

function enter(draft: Draft, instance: ProcessRecord, stage: Stage): void {
  instance.stage = stage
  instance.since = draft.revision
  instance.anchor = startAnchor(draft.now)
  instance.counted = undefined
}

/** What is to follow once an instance is down. */
export type Next =
  | { kind: 'restart'; spec: string; clean?: 'none' | 'system' | 'all' }
  | { kind: 'stop' }
  | { kind: 'remove' }

/** Begins the planned way down of an instance. What it stands beside serves on, unless the instance is not to come back. */
export function takeDown(draft: Draft, instance: InstanceRecord, next: Next): void {
  descend(draft, instance, next)
  if (next.kind !== 'restart' && instance.beside !== undefined) descend(draft, instance.beside, { kind: 'remove' })
}

/**
 * Begins the planned way down of one process (design rule 5). An instance that is already on it only gets its new destination;
 * one that carries no traffic skips the drain but still waits until every proxy has acknowledged a table without it.
 */
export function descend(draft: Draft, instance: ProcessRecord, next: Next): void {
  instance.next = next.kind
  instance.nextSpec = next.kind === 'restart' ? next.spec : null
  instance.nextClean = next.kind === 'restart' ? (next.clean ?? 'none') : 'none'
  if (next.kind === 'restart') instance.hopeless = false
  switch (instance.stage) {
    case 'planned':
      enter(draft, instance, 'stopping')
      break
    case 'stopped':
      // It was told to stop when it came here, and has been since.
      instance.stage = 'stopping'
      break
    case 'starting':
      enter(draft, instance, 'retiring')
      break
    case 'serving':
      if (instance.published === null) {
        enter(draft, instance, 'retiring')
      } else {
        instance.published = { ...instance.published, membership: 'draining' }
        enter(draft, instance, 'draining')
      }
      break
    case 'draining':
    case 'retiring':
    case 'stopping':
      break
  }
}

/**
 * Undoes a way down whose process has not been told to stop yet: true, and the instance serves on as the process it is.
 * False where the stop is already on its way.
 */
export function keepUp(draft: Draft, instance: ProcessRecord): boolean {
  if (instance.stage !== 'draining' && instance.stage !== 'retiring') return false
  instance.next = null
  instance.nextSpec = null
  if (instance.stage === 'draining') {
    // Chosen again once it is seen ready: it may have failed meanwhile.
    enter(draft, instance, 'serving')
  } else {
    enter(draft, instance, 'starting')
  }
  return true
}

/** Moves every instance of a role as far as what is known allows. */
export function advanceRole(draft: Draft, key: string): void {
  const seen = draft.roles.get(key)
  if (seen === undefined) return
  const positions: number[] = []
  for (const [position, instance] of seen.instances.entries())
    if (!isSettled(draft, seen, instance)) positions.push(position)
  if (positions.length === 0) return
  const edited = draft.roles.editSome(key, positions)
  if (edited === undefined) return
  const { role, instances } = edited
  const waived = waivedFor(draft, role.deployment) ?? undefined
  for (const instance of instances) advanceInstance(draft, role, instance, waived)
  const gone = new Set(instances.filter(instance => isGone(draft, role.deployment, instance)))
  if (gone.size === 0) return
  for (const { incarnation, spent } of gone)
    role.removedIncarnation = Math.max(role.removedIncarnation, incarnation, spent ?? 0)
  role.instances = role.instances.filter(instance => !gone.has(instance))
}

/** Removed, and all its processes are down. */
function isGone(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>): boolean {
  if (instance.beside !== undefined || instance.stage !== 'stopping' || instance.next !== 'remove') return false
  return isDown(draft, deployment, instance)
}

/** Nothing observed could move it: cheap to ask, so that quiet roles are not copied. */
function isSettled(draft: Draft, role: Readonly<RoleRecord>, instance: Readonly<InstanceRecord>): boolean {
  if (instance.beside !== undefined) return false
  if (instance.stage === 'planned' || instance.stage === 'stopped') return true
  if (instance.stage !== 'serving') return false
  const seen = observationOf(draft, role.deployment, instance)
  if (seen === undefined) return instance.node !== '' || probingNode(draft.nodes.values()) !== ''
  if (hasChangedStorage(instance, overfullOf(seen, specOf(role, instance.spec).definition))) return false
  return (
    seen.state === 'ready' &&
    !instance.hopeless &&
    instance.published !== null &&
    instance.published.membership === rotationOf(instance) &&
    instance.published.attempt === seen.attempt
  )
}

function advanceInstance(draft: Draft, role: RoleRecord, instance: InstanceRecord, waived: Waived | undefined): void {
  advanceProcess(draft, role, instance, waived)
  if (instance.beside !== undefined) {
    // Its successor is in the table: now it may go.
    if (isReady(instance) && instance.beside.next === null) descend(draft, instance.beside, { kind: 'remove' })
    advanceProcess(draft, role, instance.beside, waived)
    if (instance.beside.stage === 'stopping' && isDown(draft, role.deployment, instance.beside)) {
      instance.spent = highestIncarnation(instance)
      instance.beside = undefined
    }
  }
  if (instance.stage === 'stopping' && isDown(draft, role.deployment, instance)) {
    if (instance.next === 'restart') restart(draft, role, instance)
    else if (instance.next === 'stop' && instance.beside === undefined) enter(draft, instance, 'stopped')
  }
}

function advanceProcess(draft: Draft, role: RoleRecord, process: ProcessRecord, waived: Waived | undefined): void {
  fold(draft, role, process)
  if (process.stage === 'draining' && drained(draft, role, process, waived)) {
    process.published = null
    enter(draft, process, 'retiring')
  }
  if (process.stage === 'retiring' && allAcknowledged(draft, process.since, waived)) {
    process.published = null
    enter(draft, process, 'stopping')
  }
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

function restart(draft: Draft, role: Readonly<RoleRecord>, instance: InstanceRecord): void {
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

/** States of a process that was ready once, is no longer, and is there. */
const LIVES: ReadonlySet<string> = new Set(['unresponsive', 'starting', 'stopping'])

/** Takes what the agent sees of this incarnation into the published membership. */
function fold(draft: Draft, role: RoleRecord, instance: ProcessRecord): void {
  if (instance.stage !== 'starting' && instance.stage !== 'serving') return
  const seen = observationOf(draft, role.deployment, instance) ?? unasked(draft, role, instance)
  if (seen === null || seen.incarnation !== instance.incarnation) return
  noteStorage(draft, role.deployment, instance, seen, specOf(role, instance.spec).definition)
  if (seen.state === 'ready') {
    instance.hopeless = false
    const published = instance.published
    const membership = rotationOf(instance)
    if (published === null || published.attempt !== seen.attempt || published.membership !== membership) {
      instance.published = { attempt: seen.attempt, host: seen.host, ports: { ...seen.ports }, membership }
      if (instance.stage === 'serving' && membership === 'in') {
        draft.event('instance-ready', `${instance.id} is ready again`, {
          deployment: role.deployment,
          instance: instance.id,
        })
      }
    }
    if (instance.stage === 'starting') {
      enter(draft, instance, 'serving')
      draft.event('instance-ready', `${instance.id} is ready (${seen.version})`, {
        deployment: role.deployment,
        instance: instance.id,
      })
    }
    return
  }
  if (seen.state === 'cycling' || seen.state === 'failed') instance.hopeless = true
  // It was ready while nobody listened.
  if (seen.state === 'unresponsive' && instance.stage === 'starting') enter(draft, instance, 'serving')
  if (instance.published === null) return
  // The same process, not answering or being stopped: what it has may still finish. A dead one has nothing to finish.
  const lives = LIVES.has(seen.state) && seen.attempt === instance.published.attempt
  if (lives && instance.published.membership === 'draining') return
  instance.published = lives ? { ...instance.published, membership: 'draining' } : null
  draft.event('instance-not-ready', `${instance.id} left the table: ${seen.detail}`, {
    deployment: role.deployment,
    instance: instance.id,
  })
}

/** What a ready process is in the table: chosen, unless an operator has drained it. */
function rotationOf({ drained: aside }: Readonly<ProcessRecord>): Published['membership'] {
  return aside === true ? 'aside' : 'in'
}

function drained(draft: Draft, role: RoleRecord, instance: ProcessRecord, waived: Waived | undefined): boolean {
  if (!allAcknowledged(draft, instance.since, waived)) return false
  const inFlight = inFlightSince(draft, targetKey(role.deployment, instance), instance.since, waived)
  if (inFlight !== null && instance.counted === undefined) {
    instance.counted = true
    noteDrained(draft, role.deployment, inFlight)
  }
  if (inFlight === 0) return true
  const { drainTimeoutMs } = specOf(role, instance.spec).definition
  return elapsedMs(instance.anchor, draft.now) >= drainTimeoutMs + DRAIN_GRACE_MS
}

/** Is the process of a stopping instance gone, by an observation made since this controller started? */
function isDown(draft: Draft, deployment: string, instance: Readonly<ProcessRecord>): boolean {
  if (instance.node === '') return true
  const node = draft.observed.nodes[instance.node]
  // Given up by rule: if it comes back it is told to stop before it gets anything else (nodes.ts).
  if (node?.online !== true && draft.nodes.get(instance.node)?.lost === true) return true
  // Only a report under the assignment that says stop counts: an older "stopped" may be from before a start.
  if (node === undefined || !hasReached(node.revision, instance.since)) return false
  const seen = node.instances[instanceKey(deployment, instance)]
  // Never heard of, or at rest: of whatever incarnation, since that assignment lets none run.
  return seen === undefined || seen.state === 'stopped'
}

function observationOf(draft: Draft, deployment: string, instance: Readonly<ProcessRecord>) {
  const node = instance.node === '' ? probingNode(draft.nodes.values()) : instance.node
  return draft.observed.nodes[node]?.instances[instanceKey(deployment, instance)]
}

/** Has its agent reported it since this controller started? */
export function isHeardOf(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>): boolean {
  return instance.node === '' || observationOf(draft, deployment, instance) !== undefined
}

/** Has its agent reported this start of it ready, although the table may not have it yet? */
export function isSeenReady(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>): boolean {
  const seen = observationOf(draft, deployment, instance)
  return seen?.state === 'ready' && seen.incarnation === instance.incarnation
}

/** Has its agent said that the process was started with its spec, or told of it? What is not ours needs no telling. */
export function isTold(draft: Draft, role: Readonly<RoleRecord>, instance: Readonly<InstanceRecord>): boolean {
  if (instance.node === '' || specOf(role, instance.spec).definition.settingsReload === undefined) return true
  return observationOf(draft, role.deployment, instance)?.spec === instance.spec
}

/** Serving: chosen from, or kept aside by an operator although it could be. */
export function isReady({ stage, published }: Readonly<ProcessRecord>): boolean {
  return stage === 'serving' && (published?.membership === 'in' || published?.membership === 'aside')
}

/**
 * Nothing is gained by waiting for it any longer: it was ready once (what becomes of it then is for gates and floors to
 * judge), or is known not to become so.
 */
export function hasCome({ stage, hopeless }: Readonly<ProcessRecord>): boolean {
  return stage === 'serving' || hopeless
}

/**
 * Not there at all, or only as what it was to take the place of: given up by its agent, or up beside that and not answering
 * its probe.
 */
export function failedToCome(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>): boolean {
  const { stage, hopeless, beside, incarnation } = instance
  if (stage === 'starting') return hopeless
  if (stage !== 'serving' || beside === undefined || beside.next !== null) return false
  const seen = observationOf(draft, deployment, instance)
  return hopeless || (seen?.state === 'unresponsive' && seen.incarnation === incarnation)
}

/**
 * When a timer of an instance is due, in milliseconds from now; null if it waits for no clock. A deadline that has passed
 * is none: the tick at it was applied, and what is still missing is a proxy's word.
 */
export function dueInMs(
  draft: Pick<Draft, 'now'>,
  role: Readonly<RoleRecord>,
  instance: Readonly<ProcessRecord>,
): number | null {
  if (instance.stage !== 'draining') return null
  const { drainTimeoutMs } = specOf(role, instance.spec).definition
  const left = drainTimeoutMs + DRAIN_GRACE_MS - elapsedMs(instance.anchor, draft.now)
  return left > 0 ? left : null
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
