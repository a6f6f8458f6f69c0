import type { CreateCommand } from '../../contracts/command.ts'
import type { Draft } from '../draft.ts'
import { allAcknowledged, waivedProxies } from '../acknowledgements.ts'
import { isReady, takeDown } from '../instances.ts'
import { admit } from '../admit.ts'
import { beginOperation, endOperation, enterStep, operationsOn, swapUnderWay } from '../operations.ts'
import { refuse, refuseIfAny } from '../refusal.ts'
import { needsOf, roomBlockers } from '../room.ts'
import { checkConfiguration, mergeConfiguration, requireRelease } from '../specs.ts'
import { roleKey, type DeploymentRecord, type ListenerRecord, type ServiceRecord } from '../state.ts'
import type { OperationRecord } from '../operation-record.ts'
import { missingCertificates } from '../certificates.ts'
import { addressConflicts } from './conflicts.ts'
import { facesOf } from './faces.ts'
import { addressesOf, bindingError, endpointsOfDeployment, internalListeners, listenersFor } from './listeners.ts'
import { userBlockers } from '../processes.ts'
import { quotaBlockers, coresInUse, sizeBlockers } from '../quota.ts'
import { createRole } from '../upgrade/roles.ts'
import { writeDomains } from '../upgrade/walked.ts'
import type { Slot } from '../../model/slot.ts'
import type { Release } from '../../model/release.ts'
import { DEFAULT_UPGRADE_POLICY } from '../../model/upgrade-policy.ts'
import type { Configuration } from '../../model/definition.ts'

/** Accepts a new deployment into an empty slot (or, with `replace`, into one that is emptied first). */
export function acceptCreate(draft: Draft, command: CreateCommand): string {
  const release = requireRelease(draft.releases, command.package)
  const { definition } = release
  if (definition.name !== command.service) {
    refuse('change_not_allowed', `the package is of service "${definition.name}", not "${command.service}"`)
  }
  const configuration = mergeConfiguration(
    release.configuration ?? { roles: {} },
    command.configuration ?? { roles: {} },
  )
  refuseIfAny(checkConfiguration(definition.roles, configuration))
  refuseIfAny(missingCertificates(definition, release, configuration))
  refuseIfAny(sizeBlockers(Object.values(definition.roles), draft.fabric.settings))
  refuseIfAny(userBlockers(Object.values(definition.roles), draft.fabric.settings))
  const cores = coresInUse(draft)
  const existing = draft.services.get(command.service)
  if (existing !== undefined) refuseDuringSwap(draft, existing)
  const occupant = existing?.slots[command.slot] ?? null
  if (occupant !== null && !command.replace) {
    refuse(
      'slot_occupied',
      `the ${command.slot} slot of ${command.service} holds ${occupant}: use --replace, another slot, or \`vipswap upgrade\``,
    )
  }
  const service = existing ?? createService(draft, release)
  const creating = [...draft.operations.values()].find(
    other =>
      other.status === 'InProgress' &&
      other.kind === 'create' &&
      other.service === command.service &&
      other.slot === command.slot &&
      (other.step === 'removing' || !command.replace),
  )
  if (creating !== undefined)
    refuse(
      'operation_in_progress',
      `create ${creating.id} is in progress on ${command.service}/${command.slot}: wait for it to end`,
    )
  const needs = needsOf(draft)
  const deployment = createDeployment(draft, command, release, configuration)
  refuseIfAny(roomBlockers(draft, needs))
  // Before anything is stopped or bound.
  const prospect = withDeployment(draft, service, command.slot, deployment.id)
  refuseIfAny(addressConflicts(draft, prospect, prospect.listeners))
  const replaced = occupant === null ? undefined : draft.deployments.get(occupant)
  if (replaced !== undefined) admit(draft, replaced, 'replace')
  const operation = beginOperation(draft, {
    kind: 'create',
    service: command.service,
    slot: command.slot,
    deployments: occupant === null ? [deployment.id] : [deployment.id, occupant],
    step: occupant === null ? 'binding' : 'removing',
    message: `deploy ${definition.name} ${definition.version} to ${command.slot} as ${deployment.id}`,
  })
  operation.from = { [command.slot]: occupant }
  operation.to = { [command.slot]: deployment.id }
  operation.replaces = occupant
  operation.signedBy = release.signedBy
  if (occupant === null) bind(draft, operation, deployment)
  else removeInstances(draft, occupant)
  refuseIfAny(quotaBlockers(draft, cores))
  return operation.id
}

/** Also an empty slot is a swap's: what came there would be exchanged unseen, or exchanged back. */
function refuseDuringSwap(draft: Draft, { name, prepared }: Readonly<ServiceRecord>): void {
  if (prepared !== null) refuse('operation_in_progress', 'a swap is prepared: commit or cancel it first')
  const swap = swapUnderWay(draft, name)
  if (swap !== undefined) {
    refuse(
      'operation_in_progress',
      `swap ${swap.id} is in progress on ${name}: wait for it to end, or \`vipswap swap cancel\``,
    )
  }
}

function createService(draft: Draft, release: Release): ServiceRecord {
  const { name } = release.definition
  return draft.services.put(name, {
    name,
    createdAt: draft.now.wall,
    slots: { production: null, staging: null },
    ...addressesOf(draft, release.definition),
    listeners: [],
    prepared: null,
  })
}

function createDeployment(
  draft: Draft,
  command: CreateCommand,
  release: Release,
  configuration: Configuration,
): DeploymentRecord {
  const id = `d${draft.fabric.nextDeployment}`
  draft.fabric.nextDeployment += 1
  const { definition } = release
  const deployment = draft.deployments.put(id, {
    id,
    service: command.service,
    label: command.label ?? definition.version,
    package: release.digest,
    version: definition.version,
    createdAt: draft.now.wall,
    state: 'pending',
    upgradeDomainCount: definition.upgradeDomainCount,
    breaksData: definition.breaksData,
    configuration,
    internal: [],
    upgrade: null,
    policy: DEFAULT_UPGRADE_POLICY,
    formerRoles: {},
  })
  for (const role of Object.values(definition.roles))
    createRole(draft, deployment, role, release, configuration, command.slot)
  deployment.internal = internalListeners(id, command.service, endpointsOfDeployment(draft, id))
  return deployment
}

/** Every instance of a deployment begins its way out. */
export function removeInstances(draft: Draft, id: string): void {
  const deployment = draft.deployments.edit(id)
  if (deployment === undefined) return
  const { upgrade } = deployment
  for (const operation of [upgrade?.walk ?? null, upgrade?.operation ?? null]) {
    if (upgrade === null || operation === null) continue
    writeDomains(draft, operation, upgrade)
    endOperation(draft, operation, 'Cancelled', { code: 'superseded', message: 'the deployment is being deleted' })
  }
  deployment.upgrade = null
  deployment.state = 'deleting'
  for (const { name } of draft.rolesOf(id)) {
    const role = draft.roles.edit(roleKey(id, name))
    if (role === undefined) continue
    // What was only planned no node has heard of.
    role.instances = role.instances.filter(instance => instance.stage !== 'planned')
    for (const instance of role.instances) takeDown(draft, instance, { kind: 'remove' })
  }
}

/** Forgets a deployment whose instances are gone; true once it is. */
export function forgetIfGone(draft: Draft, id: string): boolean {
  const roles = draft.rolesOf(id)
  if (roles.some(role => role.instances.length > 0)) return false
  for (const role of roles) draft.roles.delete(roleKey(id, role.name))
  const deployment = draft.deployments.get(id)
  draft.deployments.delete(id)
  const service = deployment === undefined ? undefined : draft.services.edit(deployment.service)
  if (service?.slots.production === id) service.slots.production = null
  if (service?.slots.staging === id) service.slots.staging = null
  return true
}

/** Puts the deployment into its slot and asks the proxies for the addresses; instances wait until they have them. */
function bind(draft: Draft, operation: OperationRecord, deployment: DeploymentRecord): void {
  const service = draft.services.edit(operation.service)
  if (service === undefined || operation.slot === null) return
  operation.previousListeners = structuredClone(service.listeners)
  Object.assign(service, withDeployment(draft, service, operation.slot, deployment.id))
  deployment.state = 'deploying'
  operation.step = 'binding'
  operation.since = draft.revision
}

/** The service as it will be with the deployment in the slot: what is in there goes. */
function withDeployment(draft: Draft, service: Readonly<ServiceRecord>, slot: Slot, id: string): ServiceRecord {
  const there = { ...structuredClone(service), slots: { ...service.slots, [slot]: id } }
  const asked = { ...there, listeners: listenersFor(draft, there) }
  return { ...asked, listeners: facesOf(draft, asked) }
}

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
