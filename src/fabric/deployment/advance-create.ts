import type { Draft } from '../draft.ts'
import { allAcknowledged, waivedProxies } from '../acknowledgements.ts'
import { isReady } from '../seen.ts'
import { endOperation, enterStep, operationsOn } from '../operations.ts'
import type { DeploymentRecord, ListenerRecord, ServiceRecord } from '../state.ts'
import { roleKey } from '../keys.ts'
import type { OperationRecord } from '../operation-record.ts'
import { addressConflicts } from './conflicts.ts'
import { bindingError, listenersFor } from './listeners.ts'
import { forgetIfGone } from './remove.ts'
import { facesOf } from './faces.ts'
import type { Slot } from '../../model/slot.ts'

/** Moves a create as far as what is known allows. */
export function advanceCreate(draft: Draft, id: string): void {
  const operation = draft.operations.get(id)
  const deploymentId = operation?.slot == null ? null : operation.to[operation.slot]
  if (operation === undefined || deploymentId == null) return
  switch (operation.step) {
    case 'removing':
      if (operation.replaces === null || forgetIfGone(draft, operation.replaces)) {
        const record = draft.operations.edit(id)
        const deployment = draft.deployments.edit(deploymentId)
        if (record !== undefined && deployment !== undefined) bind(draft, record, deployment)
      }
      break
    case 'binding':
      advanceBinding(draft, operation, deploymentId)
      break
    case 'fetching':
      advanceFetching(draft, operation, deploymentId)
      break
    case 'starting':
      advanceStarting(draft, operation, deploymentId)
      break
  }
}

function advanceBinding(draft: Draft, operation: Readonly<OperationRecord>, id: string): void {
  const deployment = draft.deployments.get(id)
  const service = draft.services.get(operation.service)
  if (deployment === undefined || service === undefined) return
  // Without a proxy nobody has bound anything: wait for one.
  if (draft.proxies.keys().length === 0 || !allAcknowledged(draft, operation.since, waivedProxies(operation))) return
  const listeners = [...service.listeners, ...deployment.internal]
  const error = bindingError(
    draft,
    listeners.map(listener => listener.key),
  )
  if (error !== null) {
    abandon(draft, operation, id)
    endOperation(draft, operation.id, 'Failed', {
      code: 'port_in_use',
      message: `${error}; free it, or set another port or \`vips\``,
    })
    return
  }
  // While the slot was emptied another service may have come to the address.
  const [conflict] = operation.replaces === null ? [] : addressConflicts(draft, service, service.listeners)
  if (conflict !== undefined) {
    abandon(draft, operation, id)
    endOperation(draft, operation.id, 'Failed', conflict)
    return
  }
  if (listeners.some(listener => listener.bound === null)) return
  enterStep(draft, operation.id, 'fetching')
  advanceFetching(draft, operation, id)
}

/** The create of a deployment of which no instance was started yet. */
export function createUnderWay(draft: Draft, deployment: string): Readonly<OperationRecord> | undefined {
  return operationsOn(draft, [deployment]).find(
    ({ kind, step, to, slot }) =>
      kind === 'create' && (step === 'binding' || step === 'fetching') && slot !== null && to[slot] === deployment,
  )
}

/** Takes back everything a create has done before an instance was started. */
export function abandon(draft: Draft, operation: Readonly<OperationRecord>, id: string): void {
  for (const role of draft.rolesOf(id)) draft.roles.delete(roleKey(id, role.name))
  draft.deployments.delete(id)
  const service = draft.services.edit(operation.service)
  if (service === undefined || operation.slot === null) return
  service.slots[operation.slot] = null
  service.listeners = service.listeners.map(listener => withFormerFace(listener, operation.previousListeners ?? []))
  // What the other slot needs by now, and the addresses that were there before; one never bound was of a create like this.
  const needed = listenersFor(draft, service)
  const before = (operation.previousListeners ?? []).filter(
    ({ key, bound }) => bound !== null && !needed.some(listener => listener.key === key),
  )
  service.listeners = [...before, ...needed]
  const empty = service.slots.production === null && service.slots.staging === null
  if (empty && service.listeners.length === 0) draft.services.delete(service.name)
}

/** What an address showed before a create that failed; one that was not there shows what the other slot's does. */
function withFormerFace(listener: ListenerRecord, previous: readonly ListenerRecord[]): ListenerRecord {
  const former = previous.find(({ key, protocol }) => key === listener.key && protocol === listener.protocol)
  return former === undefined
    ? { ...listener, lent: true }
    : { ...listener, tls: former.tls, options: former.options, lent: former.lent }
}

function advanceFetching(draft: Draft, operation: Readonly<OperationRecord>, id: string): void {
  const deployment = draft.deployments.get(id)
  if (deployment === undefined) return
  const nodes = new Set(draft.rolesOf(id).flatMap(role => role.instances.map(instance => instance.node)))
  nodes.delete('')
  for (const name of nodes) {
    const node = draft.observed.nodes[name]
    const failure = node?.packageErrors[deployment.package]
    if (failure !== undefined) {
      abandon(draft, operation, id)
      endOperation(draft, operation.id, 'Failed', { code: 'invalid_package', message: `node ${name}: ${failure}` })
      return
    }
    if (node?.packages.includes(deployment.package) !== true) return
  }
  for (const { name } of draft.rolesOf(id)) {
    for (const instance of draft.roles.edit(roleKey(id, name))?.instances ?? []) {
      if (instance.stage === 'planned') Object.assign(instance, { stage: 'starting', since: draft.revision })
    }
  }
  enterStep(draft, operation.id, 'starting')
}

function advanceStarting(draft: Draft, operation: Readonly<OperationRecord>, id: string): void {
  const instances = draft.rolesOf(id).flatMap(role => role.instances)
  const hopeless = instances.filter(instance => instance.hopeless)
  const deployment = draft.deployments.get(id)
  if (deployment === undefined) return
  if (hopeless.length > 0) {
    settle(draft, id)
    endOperation(draft, operation.id, 'Failed', {
      code: 'start_failed',
      message: `${hopeless.map(instance => instance.id).join(', ')} did not start; see \`vipswap logs ${hopeless[0]?.id ?? ''} --slot ${operation.slot ?? 'production'}\`, then deploy again with --replace`,
    })
    return
  }
  if (!instances.every(isReady)) return
  settle(draft, id)
  // The last table with the new instances in it must be everywhere before the caller is told that it serves.
  enterStep(draft, operation.id, 'publishing')
}

function settle(draft: Draft, id: string): void {
  const deployment = draft.deployments.edit(id)
  if (deployment?.state === 'deploying') deployment.state = 'running'
}

/** Puts the deployment into its slot and asks the proxies for the addresses; instances wait until they have them. */
export function bind(draft: Draft, operation: OperationRecord, deployment: DeploymentRecord): void {
  const service = draft.services.edit(operation.service)
  if (service === undefined || operation.slot === null) return
  operation.previousListeners = structuredClone(service.listeners)
  Object.assign(service, withDeployment(draft, service, operation.slot, deployment.id))
  deployment.state = 'deploying'
  operation.step = 'binding'
  operation.since = draft.revision
}

/** The service as it will be with the deployment in the slot: what is in there goes. */
export function withDeployment(draft: Draft, service: Readonly<ServiceRecord>, slot: Slot, id: string): ServiceRecord {
  const there = { ...structuredClone(service), slots: { ...service.slots, [slot]: id } }
  const asked = { ...there, listeners: listenersFor(draft, there) }
  return { ...asked, listeners: facesOf(draft, asked) }
}
