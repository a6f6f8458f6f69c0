import { hasReached } from '../contracts/revision.ts'
import { elapsedMs } from './anchor.ts'
import { allAcknowledged, inFlightSince, type Waived, waivedFor } from './acknowledgements.ts'
import type { Draft } from './draft.ts'
import { noteDrained } from './around.ts'
import { probingNode, unasked } from './fronted.ts'
import { hasChangedStorage, noteStorage, overfullOf } from './storage.ts'
import type { InstanceRecord, ProcessRecord, Published, RoleRecord } from './state.ts'
import { instanceKey, targetKey } from './keys.ts'
import { isReady, observationOf } from './seen.ts'
import { descend, DRAIN_GRACE_MS, enter } from './way-down.ts'
import { highestIncarnation, restart, specOf } from './instances.ts'

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
