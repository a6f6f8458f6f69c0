import { hasReached } from '../contracts/revision.ts'
import { instanceName } from '../core/ids.ts'
import { elapsedMs, startAnchor } from './anchor.ts'
import { allAcknowledged, inFlightSince } from './acknowledgements.ts'
import type { Draft } from './draft.ts'
import { faultDomainOf, placeInstance, upgradeDomainOf } from './placement.ts'
import {
  instanceKey,
  roleKey,
  targetKey,
  type InstanceRecord,
  type RoleRecord,
  type RoleSpec,
  type Stage,
} from './state.ts'

/** After the drain deadline the proxy still closes tunnels in good order; the process is told to stop this much later. */
export const DRAIN_GRACE_MS = 5000

/** Adds instance `index` to a role, on the role's target spec, in stage `stage`. */
export function addInstance(
  draft: Draft,
  role: RoleRecord,
  index: number,
  domains: number,
  stage: 'planned' | 'starting' | 'stopped',
): void {
  const spec = specOf(role, role.target)
  const upgradeDomain = upgradeDomainOf(index, domains)
  const upstream = spec.definition.upstreams[index]
  const node = upstream === undefined ? placeInstance(draft, role.instances, upgradeDomain) : null
  role.instances.push({
    id: instanceName(role.name, index),
    index,
    upgradeDomain,
    faultDomain: node === null ? 0 : faultDomainOf(node),
    node: node?.name ?? '',
    spec: role.target,
    incarnation: role.removedIncarnation + 1,
    stage,
    next: null,
    nextSpec: null,
    nextClean: 'none',
    clean: 'none',
    since: draft.revision,
    anchor: startAnchor(draft.now),
    published: null,
    hopeless: false,
  })
}

export function specOf(role: Readonly<RoleRecord>, id: string): RoleSpec {
  const spec = role.specs[id]
  if (spec === undefined) throw new Error(`role ${role.deployment}/${role.name} has no spec ${id}`)
  return spec
}

function enter(draft: Draft, instance: InstanceRecord, stage: Stage): void {
  instance.stage = stage
  instance.since = draft.revision
  instance.anchor = startAnchor(draft.now)
}

/** What is to follow once an instance is down. */
export type Next =
  | { kind: 'restart'; spec: string; clean?: 'none' | 'system' | 'all' }
  | { kind: 'stop' }
  | { kind: 'remove' }

/**
 * Begins the planned way down (design rule 5). An instance that is already on it only gets its new destination;
 * one that carries no traffic skips the drain but still waits until every proxy has acknowledged a table without it.
 */
export function takeDown(draft: Draft, instance: InstanceRecord, next: Next): void {
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
export function keepUp(draft: Draft, instance: InstanceRecord): boolean {
  if (instance.stage !== 'draining' && instance.stage !== 'retiring') return false
  instance.next = null
  instance.nextSpec = null
  if (instance.stage === 'draining') {
    // Chosen again once it is seen ready: it may have failed meanwhile. What is not ours to run is as good as it was.
    if (instance.node === '') instance.published = null
    enter(draft, instance, 'serving')
  } else {
    enter(draft, instance, 'starting')
  }
  return true
}

/** Moves every instance of a role as far as what is known allows. */
export function advanceRole(draft: Draft, key: string): void {
  const seen = draft.roles.get(key)
  if (seen === undefined || seen.instances.every(instance => isSettled(draft, seen.deployment, instance))) return
  const role = draft.roles.edit(key)
  if (role === undefined) return
  for (const instance of role.instances) advanceInstance(draft, role, instance)
  role.instances = role.instances.filter(instance => {
    const gone = instance.stage === 'stopping' && instance.next === 'remove' && isDown(draft, role.deployment, instance)
    if (gone) role.removedIncarnation = Math.max(role.removedIncarnation, instance.incarnation)
    return !gone
  })
}

/** Nothing observed could move it: cheap to ask, so that quiet roles are not copied. */
function isSettled(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>): boolean {
  if (instance.stage === 'planned' || instance.stage === 'stopped') return true
  if (instance.stage !== 'serving') return false
  const seen = observationOf(draft, deployment, instance)
  if (seen === undefined) return instance.node !== ''
  return (
    seen.state === 'ready' &&
    !instance.hopeless &&
    instance.published !== null &&
    instance.published.membership === 'in' &&
    instance.published.attempt === seen.attempt
  )
}

function advanceInstance(draft: Draft, role: RoleRecord, instance: InstanceRecord): void {
  fold(draft, role, instance)
  if (instance.stage === 'draining' && drained(draft, role, instance)) {
    instance.published = null
    enter(draft, instance, 'retiring')
  }
  if (instance.stage === 'retiring' && allAcknowledged(draft, instance.since)) {
    instance.published = null
    enter(draft, instance, 'stopping')
  }
  if (instance.stage === 'stopping' && isDown(draft, role.deployment, instance)) {
    if (instance.next === 'restart') restart(draft, instance)
    else if (instance.next === 'stop') enter(draft, instance, 'stopped')
  }
}

/** Starts a stopped instance again as it was. */
export function startAgain(draft: Draft, instance: InstanceRecord): void {
  instance.nextSpec = instance.spec
  instance.nextClean = 'none'
  restart(draft, instance)
}

function restart(draft: Draft, instance: InstanceRecord): void {
  instance.incarnation += 1
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
function fold(draft: Draft, role: RoleRecord, instance: InstanceRecord): void {
  if (instance.stage !== 'starting' && instance.stage !== 'serving') return
  if (instance.node === '') {
    publishUpstream(draft, role, instance)
    return
  }
  const seen = observationOf(draft, role.deployment, instance)
  if (seen === undefined || seen.incarnation !== instance.incarnation) return
  if (seen.state === 'ready') {
    instance.hopeless = false
    const published = instance.published
    if (published === null || published.attempt !== seen.attempt || published.membership !== 'in') {
      instance.published = { attempt: seen.attempt, host: seen.host, ports: { ...seen.ports }, membership: 'in' }
      if (instance.stage === 'serving') {
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

function publishUpstream(draft: Draft, role: RoleRecord, instance: InstanceRecord): void {
  if (instance.stage === 'serving' && instance.published !== null) return
  const { definition } = specOf(role, instance.spec)
  const [host = '127.0.0.1', port = '0'] = (definition.upstreams[instance.index] ?? '').split(':')
  const ports = Object.fromEntries(definition.endpoints.map(endpoint => [endpoint.name, Number(port)]))
  instance.published = { attempt: 1, host, ports, membership: 'in' }
  if (instance.stage === 'starting') enter(draft, instance, 'serving')
}

function drained(draft: Draft, role: RoleRecord, instance: InstanceRecord): boolean {
  if (!allAcknowledged(draft, instance.since)) return false
  if (inFlightSince(draft, targetKey(role.deployment, instance), instance.since) === 0) return true
  const { drainTimeoutMs } = specOf(role, instance.spec).definition
  return elapsedMs(instance.anchor, draft.now) >= drainTimeoutMs + DRAIN_GRACE_MS
}

/** Is the process of a stopping instance gone, by an observation made since this controller started? */
function isDown(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>): boolean {
  if (instance.node === '') return true
  const node = draft.observed.nodes[instance.node]
  // Only a report under the assignment that says stop counts: an older "stopped" may be from before a start.
  if (node === undefined || !hasReached(node.revision, instance.since)) return false
  const seen = node.instances[instanceKey(deployment, instance.id)]
  // Never heard of, or at rest: of whatever incarnation, since that assignment lets none run.
  return seen === undefined || seen.state === 'stopped'
}

function observationOf(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>) {
  return draft.observed.nodes[instance.node]?.instances[instanceKey(deployment, instance.id)]
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

/** Serving and chosen from. */
export function isReady(instance: Readonly<InstanceRecord>): boolean {
  return instance.stage === 'serving' && instance.published?.membership === 'in'
}

/**
 * When a timer of an instance is due, in milliseconds from now; null if it waits for no clock. A deadline that has passed
 * is none: the tick at it was applied, and what is still missing is a proxy's word.
 */
export function dueInMs(
  draft: Pick<Draft, 'now'>,
  role: Readonly<RoleRecord>,
  instance: Readonly<InstanceRecord>,
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
    ...role.instances.flatMap(instance => [instance.spec, instance.nextSpec ?? instance.spec]),
  ])
  for (const id of Object.keys(role.specs)) if (!used.has(id)) delete role.specs[id]
}
