import { elapsedMs, startAnchor } from './anchor.ts'
import type { Draft } from './draft.ts'
import { homeOf, settleOn } from './instances.ts'
import { descend, takeDown } from './way-down.ts'
import { hasCome, isReady } from './seen.ts'
import { mayGo } from './capacity.ts'
import { UNSEEN_NODE } from './observe.ts'
import { hasPlaceElsewhere, mustLeave, processesOn } from './placement.ts'
import { needsOf, type Needs } from './room.ts'
import { comesBeside } from './beside.ts'
import { standBeside } from './start-first.ts'
import type { DeploymentRecord, FabricState, InstanceRecord, NodeRecord, RoleRecord } from './state.ts'
import { instanceKey, roleKey } from './keys.ts'
import type { Moment } from '../core/clock.ts'

/** Every known node is silent from now on: unknown is not gone, so a new controller's time-outs start anew. */
export function silenceAll(draft: Draft): void {
  const unseen = { ...UNSEEN_NODE, silentSince: startAnchor(draft.now) }
  draft.observed = { ...draft.observed, nodes: Object.fromEntries(draft.nodes.keys().map(name => [name, unseen])) }
}

/** Gives up nodes that are silent for too long, takes back those that have come clean, and empties what is to be left. */
export function advanceNodes(draft: Draft): void {
  for (const name of draft.nodes.keys()) {
    const node = draft.nodes.get(name)
    if (node === undefined) continue
    const silentSince = draft.observed.nodes[name]?.silentSince ?? null
    if (node.lost === true) readmit(draft, node)
    else if (silentSince !== null && elapsedMs(silentSince, draft.now) >= draft.fabric.settings.nodeTimeoutMs) {
      giveUp(draft, name, `node ${name} has been silent for longer than nodeTimeout`)
    }
  }
  for (const name of draft.nodes.keys()) {
    const node = draft.nodes.get(name)
    if (node?.lost === true) leaveLost(draft, name)
    else if (node?.draining === true) leaveDrained(draft, name)
  }
}

/** From now on a node counts as gone: what runs there is presumed dead, and kept from running twice when it returns. */
export function giveUp(draft: Draft, name: string, why: string): void {
  const node = draft.nodes.edit(name)
  if (node === undefined || node.lost === true) return
  node.lost = true
  draft.event('node-lost', `${why}; what is there goes to other nodes`)
}

/**
 * A lost node is taken back once it has reported that nothing runs there that was moved away, was stopped meanwhile, or is
 * there in an older incarnation. Until then it gets nothing new: what comes back is stopped before anything else.
 */
function readmit(draft: Draft, { name }: Readonly<NodeRecord>): void {
  const seen = draft.observed.nodes[name]
  if (seen === undefined || !seen.online || !seen.reported) return
  // What is to be stopped counts as stopped since the node was given up: nothing but a report says that it is.
  const rightful = new Map(
    processesOn(draft, name)
      .filter(({ process }) => process.stage !== 'stopped')
      .map(({ role, process }) => [instanceKey(role.deployment, process), process.incarnation]),
  )
  const stale = Object.values(seen.instances).some(
    ({ key, incarnation, state }) => state !== 'stopped' && incarnation !== rightful.get(key),
  )
  if (stale) return
  const node = draft.nodes.edit(name)
  if (node === undefined) return
  node.lost = undefined
  draft.event('node-returned', `node ${name} is back, and nothing runs there that was moved away`)
}

/** All that is left on a lost node goes at once, as far as there is another node for it. */
function leaveLost(draft: Draft, name: string): void {
  const needs = needsOnce(draft)
  for (const { role: seen, instance: at, process } of processesOn(draft, name)) {
    // What is under way starts elsewhere by itself.
    if (process.next !== null || !hasElsewhere(draft, seen, at, needs)) continue
    const role = draft.roles.edit(roleKey(seen.deployment, seen.name))
    const instance = role?.instances.find(({ id }) => id === at.id)
    if (role === undefined || instance === undefined) continue
    if (process === at.beside) {
      if (instance.beside !== undefined) descend(draft, instance.beside, { kind: 'remove' })
    } else if (instance.stage === 'planned' || instance.stage === 'stopped') {
      rehome(draft, role, instance)
    } else {
      // Not with what it stands beside: that may serve elsewhere. Where it starts is known when it is down: on another node
      // it finds nothing of what it had stored, back on its own all of it.
      descend(draft, instance, { kind: 'restart', spec: instance.spec })
    }
  }
}

/** What nodes must have, counted for the first who asks. */
function needsOnce(draft: Draft): () => Needs {
  let needs: Needs | null = null
  return () => (needs ??= needsOf(draft))
}

function hasElsewhere(
  draft: Draft,
  role: Readonly<RoleRecord>,
  { node }: Readonly<InstanceRecord>,
  needs: () => Needs,
): boolean {
  return mustLeave(draft, node) && hasPlaceElsewhere(draft, role, node, needs)
}

function rehome(draft: Draft, role: Readonly<RoleRecord>, instance: InstanceRecord): void {
  const home = homeOf(draft, role, instance)
  if (home === null || home.name === instance.node) return
  settleOn(draft, role, instance, home)
}

/**
 * What an operator wants empty leaves one upgrade domain of a deployment at a time, and only while the capacity floor holds.
 * A walk goes first: what it restarts leaves with that.
 */
function leaveDrained(draft: Draft, name: string): void {
  const here = processesOn(draft, name)
  const needs = needsOnce(draft)
  for (const id of new Set(here.map(({ role }) => role.deployment))) {
    const deployment = draft.deployments.get(id)
    if (deployment === undefined || deployment.state === 'deleting') continue
    const resting = here.filter(
      ({ role, instance }) =>
        role.deployment === id &&
        (instance.stage === 'planned' || instance.stage === 'stopped') &&
        hasElsewhere(draft, role, instance, needs),
    )
    for (const { role: seen, instance: at } of resting) {
      const role = draft.roles.edit(roleKey(id, seen.name))
      const instance = role?.instances.find(each => each.id === at.id)
      if (role !== undefined && instance !== undefined) rehome(draft, role, instance)
    }
    if (deployment.upgrade === null) leaveOneDomain(draft, deployment, name, needs)
  }
}

function leaveOneDomain(draft: Draft, deployment: Readonly<DeploymentRecord>, name: string, needs: () => Needs): void {
  const roles = draft.rolesOf(deployment.id)
  const instances = roles.flatMap(role => role.instances)
  // The domain before this one is not through yet.
  if (!instances.every(instance => isSettledHere(instance))) return
  const leaving = roles.flatMap(role =>
    role.instances
      .filter(
        instance =>
          instance.node === name && instance.stage !== 'stopped' && hasElsewhere(draft, role, instance, needs),
      )
      .map(instance => ({ role: role.name, instance })),
  )
  const first = Math.min(...leaving.map(({ instance }) => instance.upgradeDomain))
  const going = leaving.filter(({ instance }) => instance.upgradeDomain === first)
  const ids = new Set(going.map(({ instance }) => instance.id))
  if (going.length === 0 || mayGo(roles, instance => (ids.has(instance.id) ? instance.spec : null)) !== null) return
  for (const { name: roleName } of roles) {
    const role = going.some(each => each.role === roleName)
      ? draft.roles.edit(roleKey(deployment.id, roleName))
      : undefined
    if (role === undefined) continue
    for (const instance of role.instances) {
      if (!ids.has(instance.id)) continue
      if (isReady(instance) && comesBeside(role, instance, instance.spec))
        standBeside(draft, role, instance, instance.spec)
      else takeDown(draft, instance, { kind: 'restart', spec: instance.spec })
    }
  }
  draft.event('node-leaving', `${[...ids].join(', ')} of ${deployment.id} leave node ${name}`, {
    deployment: deployment.id,
  })
}

/** Nothing is under way with it; one that cannot start, or is sick, holds up nobody. */
function isSettledHere(instance: Readonly<InstanceRecord>): boolean {
  if (instance.beside !== undefined || instance.next !== null) return false
  return hasCome(instance) || instance.stage === 'stopped'
}

/** Milliseconds until a silent node's time-out, or null. */
export function nodeDueInMs(state: Pick<FabricState, 'nodes' | 'fabric' | 'observed'>, now: Moment): number | null {
  let due: number | null = null
  for (const { name, lost } of Object.values(state.nodes)) {
    const silentSince = state.observed.nodes[name]?.silentSince ?? null
    if (lost === true || silentSince === null) continue
    const left = state.fabric.settings.nodeTimeoutMs - elapsedMs(silentSince, now)
    if (left > 0 && (due === null || left < due)) due = left
  }
  return due
}
