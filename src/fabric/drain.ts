import type { DrainInstanceCommand, DrainNodeCommand, ForceCommand } from '../contracts/command.ts'
import { PROXY, silentProxies } from './acknowledgements.ts'
import { elapsedMs } from './anchor.ts'
import type { Draft } from './draft.ts'
import { requireDeployment } from './lookup.ts'
import { giveUp } from './nodes.ts'
import { beginOperation, endOperation } from './operations.ts'
import { processesOn } from './placement.ts'
import { waivedWords } from './receipts.ts'
import { refuse } from './refusal.ts'
import type { NodeRecord, ProcessRecord } from './state.ts'
import { roleKey } from './keys.ts'
import type { OperationRecord } from './operation-record.ts'

/** Empties a node, or lets it be used again. What has left it does not come back by itself. */
export function acceptNodeDrain(draft: Draft, { kind, node: name }: DrainNodeCommand): string {
  const node = requireNode(draft, name)
  const drain = kind === 'drainNode'
  if ((node.draining === true) === drain)
    refuse('nothing_to_do', `node ${name} is ${drain ? 'drained already' : 'not drained'}`)
  if (drain && processesOn(draft, name).length > 0 && !hasOther(draft, name)) {
    refuse('no_nodes', `there is no other node that what runs on ${name} could go to: start another agent first`)
  }
  for (const { id, status, node: other } of draft.operations.values()) {
    if (status !== 'InProgress' || other !== name) continue
    endOperation(draft, id, 'Cancelled', { code: 'superseded', message: `node ${name} is used again` })
  }
  const record = draft.nodes.edit(name)
  if (record !== undefined) record.draining = drain ? true : undefined
  const operation = beginOperation(draft, {
    kind: drain ? 'drain' : 'undrain',
    service: '',
    slot: null,
    deployments: [],
    step: drain ? 'leaving' : 'publishing',
    message: `${drain ? 'drain' : 'undrain'} node ${name}`,
  })
  operation.node = name
  return operation.id
}

function hasOther(draft: Draft, name: string): boolean {
  return [...draft.nodes.values()].some(
    node =>
      node.name !== name &&
      node.draining !== true &&
      node.lost !== true &&
      draft.observed.nodes[node.name]?.online === true,
  )
}

function requireNode(draft: Draft, name: string): Readonly<NodeRecord> {
  return (
    draft.nodes.get(name) ??
    refuse('node_not_found', `there is no node "${name}"; known: ${draft.nodes.keys().join(', ') || 'none'}`)
  )
}

/** A drained node's operation ends when nothing of it is left there. */
export function advanceNodeDrain(draft: Draft, operation: Readonly<OperationRecord>): void {
  if (operation.node === undefined || processesOn(draft, operation.node).length > 0) return
  endOperation(draft, operation.id, 'Succeeded')
}

/** Takes an instance out of rotation, its process kept, or puts it back. Lasts over restarts and walks. */
export function acceptInstanceDrain(draft: Draft, command: DrainInstanceCommand): string {
  const { id } = requireDeployment(draft, command.service, command.slot)
  const roles = draft.rolesOf(id)
  const name = roles.find(role => role.instances.some(instance => instance.id === command.instance))?.name ?? ''
  const instance = draft.roles.edit(roleKey(id, name))?.instances.find(each => each.id === command.instance)
  if (instance === undefined) {
    const known = roles.flatMap(role => role.instances.map(each => each.id))
    refuse('instance_not_found', `there is no instance "${command.instance}"; there are ${known.join(', ')}`)
  }
  const drain = command.kind === 'drain'
  if ((instance.drained === true) === drain) {
    refuse('nothing_to_do', `${instance.id} is ${drain ? 'drained already' : 'not drained'}`)
  }
  setAside(instance, drain)
  if (instance.beside !== undefined) setAside(instance.beside, drain)
  const operation = beginOperation(draft, {
    kind: command.kind,
    service: command.service,
    slot: command.slot,
    // It holds the deployment against nothing.
    deployments: [],
    step: 'publishing',
    message: `${command.kind} ${instance.id} of ${id}`,
  })
  operation.instance = instance.id
  return operation.id
}

/** Out at once; in again when it is next seen ready. */
function setAside(process: ProcessRecord, drain: boolean): void {
  process.drained = drain ? true : undefined
  if (drain && process.published?.membership === 'in') process.published = { ...process.published, membership: 'aside' }
}

/** So long after its start nobody who lives is still to dial in: an agent tries again every second. */
const DIAL_IN_MS = 30_000

/** Not heard of by this controller, and not for long: what runs there would be started elsewhere as well, without its data. */
function isAwaited(draft: Draft, name: string): boolean {
  const node = draft.observed.nodes[name]
  if (node === undefined || node.revision !== null || node.silentSince === null) return false
  return elapsedMs(node.silentSince, draft.now) < DIAL_IN_MS
}

/**
 * Lets an operation go on without the word of peers that are silent, and below its capacity floor: the guarantee is waived,
 * and the receipt says so (design rule 5). A node that this controller has just begun to wait for is not given up.
 */
export function acceptForce(draft: Draft, { operation: id }: ForceCommand): string {
  const operation = draft.operations.edit(id)
  if (operation === undefined) refuse('operation_not_found', `there is no operation "${id}"`)
  if (operation.status !== 'InProgress') refuse('nothing_to_do', `operation ${id} has ended`)
  const nodes = new Set(
    operation.deployments.flatMap(deployment =>
      draft.rolesOf(deployment).flatMap(role => role.instances.flatMap(({ node }) => (node === '' ? [] : [node]))),
    ),
  )
  if (operation.node !== undefined) nodes.add(operation.node)
  const absent = [...nodes].filter(name => draft.observed.nodes[name]?.online !== true)
  const awaited = absent.filter(name => isAwaited(draft, name))
  if (awaited.length > 0) {
    const all = awaited.join(', ')
    draft.event('warning', `force ${id}: ${all} may still dial in after the controller's start: not given up`, {
      operation: id,
    })
  }
  const silent = absent.filter(name => !awaited.includes(name))
  for (const name of silent) giveUp(draft, name, `node ${name} is given up: ${operation.kind} ${id} was forced`)
  operation.waived = [
    ...new Set([
      ...(operation.waived ?? []),
      ...silentProxies(draft).map(incarnation => `${PROXY}${incarnation}`),
      ...silent.map(name => `node ${name}`),
    ]),
  ]
  draft.event('operation-forced', `${operation.kind} ${id} goes on without waiting for ${waivedWords(operation)}`, {
    service: operation.service,
    slot: operation.slot ?? undefined,
    operation: id,
  })
  return id
}
