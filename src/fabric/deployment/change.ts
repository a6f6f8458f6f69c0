import type {
  ConfigureCommand,
  DeleteCommand,
  DeleteServiceCommand,
  InstanceCommand,
  StatusCommand,
} from '../../contracts/command.ts'
import type { OperationKind } from '../../contracts/api.ts'
import { own } from '../../core/own.ts'
import type { Draft } from '../draft.ts'
import { addInstance, isReady, specOf, startAgain, takeDown } from '../instances.ts'
import { requireDeployment, requireService } from '../lookup.ts'
import { beginOperation, clearTheWay, endOperation, enterStep, requireFree } from '../operations.ts'
import { refuse, refuseIfAny } from '../refusal.ts'
import { needsOf, roomBlockers } from '../room.ts'
import { checkConfiguration, mergeConfiguration, requireRelease } from '../specs.ts'
import { roleKey, type DeploymentRecord, type InstanceRecord, type OperationRecord } from '../state.ts'
import { beginUpgrade, differs, requireUpgradable, type Wish } from '../upgrade/accept.ts'
import { coresInUse, quotaBlockers } from '../quota.ts'
import { changedCertificates, configurationOf } from '../certificates.ts'
import type { Configuration } from '../../model/definition.ts'
import { applyCertificates, shownConflicts } from './renew.ts'
import { forgetIfGone, removeInstances } from './create.ts'

function begin(
  draft: Draft,
  kind: OperationKind,
  command: { service: string; slot: 'production' | 'staging' },
  deployment: Readonly<DeploymentRecord>,
  step: string,
  message: string,
): OperationRecord {
  return beginOperation(draft, {
    kind,
    service: command.service,
    slot: command.slot,
    deployments: [deployment.id],
    step,
    message,
  })
}

function requireNoPreparedSwap(draft: Draft, service: string): void {
  if (draft.services.get(service)?.prepared)
    refuse('operation_in_progress', 'a swap is prepared: commit or cancel it first')
}

/** Accepts the removal of a deployment; also while something else is done to it, which it ends. */
export function acceptDelete(draft: Draft, command: DeleteCommand): string {
  const deployment = requireDeployment(draft, command.service, command.slot)
  requireNoPreparedSwap(draft, command.service)
  clearTheWay(draft, deployment.id)
  const operation = begin(
    draft,
    'delete',
    command,
    deployment,
    'draining',
    `delete ${deployment.id} in ${command.slot}`,
  )
  operation.from = { [command.slot]: deployment.id }
  operation.to = { [command.slot]: null }
  removeInstances(draft, deployment.id)
  return operation.id
}

/** Removes a service whose slots are empty (Azure refuses to delete a cloud service that has deployments). */
export function acceptDeleteService(draft: Draft, command: DeleteServiceCommand): string {
  const service = requireService(draft, command.service)
  const occupied = Object.values(service.slots).filter(id => id !== null)
  if (occupied.length > 0) {
    refuse('slot_occupied', `${command.service} still has ${occupied.join(' and ')}: \`vipswap delete --slot …\` first`)
  }
  const operation = beginOperation(draft, {
    kind: 'delete',
    service: command.service,
    slot: null,
    deployments: [],
    step: 'publishing',
    message: `delete service ${command.service}`,
  })
  draft.services.delete(command.service)
  return operation.id
}

/** Suspends (drain, stop, keep the place) or starts a whole deployment. */
export function acceptStatus(draft: Draft, command: StatusCommand): string {
  const seen = requireDeployment(draft, command.service, command.slot)
  requireNoPreparedSwap(draft, command.service)
  requireFree(draft, [seen.id])
  if (seen.upgrade !== null)
    refuse('upgrade_in_progress', 'an upgrade is not complete: finish it or roll it back first')
  const suspend = command.status === 'Suspended'
  if (seen.state === (suspend ? 'suspended' : 'running')) {
    refuse('nothing_to_do', `deployment ${seen.id} is ${seen.state} already`)
  }
  const kind = suspend ? 'suspend' : 'start'
  const operation = begin(
    draft,
    kind,
    command,
    seen,
    suspend ? 'draining' : 'starting',
    `${kind} ${seen.id} in ${command.slot}`,
  )
  const deployment = draft.deployments.edit(seen.id)
  if (deployment !== undefined) deployment.state = suspend ? 'suspending' : 'starting'
  for (const { name } of draft.rolesOf(seen.id)) {
    const role = draft.roles.edit(roleKey(seen.id, name))
    if (role === undefined) continue
    for (const instance of role.instances) {
      if (suspend) takeDown(draft, instance, { kind: 'stop' })
      else if (instance.stage === 'stopped') startAgain(draft, role, instance)
    }
  }
  return operation.id
}

/**
 * Changes instance counts at once, settings (with counts, where both are given) by a walk over the domains with the
 * package that runs, certificates by another table alone.
 */
export function acceptConfigure(draft: Draft, command: ConfigureCommand): string {
  const seen = requireDeployment(draft, command.service, command.slot)
  const release = requireRelease(draft.releases, seen.package)
  // A role may be of an earlier package than the deployment's, and the latter may not have it.
  const definitions = Object.fromEntries(
    draft.rolesOf(seen.id).map(role => [role.name, specOf(role, role.target).definition]),
  )
  const certificates = changedCertificates(configurationOf(seen), command.configuration)
  if (certificates.length > 0 && onlyCertificates(command.configuration)) {
    requireNoPreparedSwap(draft, command.service)
    if (seen.state === 'pending' || seen.state === 'deleting') requireUpgradable(draft, seen)
    refuseIfAny(checkConfiguration(definitions, command.configuration))
    return applyCertificates(draft, seen.id, command.configuration, certificates)
  }
  requireUpgradable(draft, seen)
  refuseIfAny(checkConfiguration(definitions, command.configuration))
  const configuration = mergeConfiguration(seen.configuration, command.configuration)
  const counts = Object.entries(command.configuration.roles).flatMap(([name, { instances }]) => {
    const running = draft.roles.get(roleKey(seen.id, name))?.instances.length
    return instances === undefined || instances === running ? [] : [{ name, instances }]
  })
  const settings = Object.values(command.configuration.roles).some(role => Object.keys(role.settings ?? {}).length > 0)
  const fronted = counts.find(({ name }) => (own(definitions, name)?.upstreams.length ?? 0) > 0)
  if (fronted !== undefined) {
    refuse(
      'change_not_allowed',
      `role ${fronted.name} fronts what its \`upstreams\` list: deploy a package that lists others`,
    )
  }
  if (counts.length === 0 || settings) {
    const wish: Wish = {
      mode: 'auto',
      role: null,
      restartUnchanged: false,
      ownPackages: true,
      allowRoleChanges: true,
      label: seen.label,
    }
    if (!differs(draft, seen.id, release, configuration, wish)) {
      if (certificates.length === 0) refuse('nothing_to_do', `nothing in it differs from what ${seen.id} has already`)
      return applyCertificates(draft, seen.id, command.configuration, certificates)
    }
    return beginUpgrade(draft, seen.id, release, configuration, wish)
  }
  const operation = begin(
    draft,
    'scale',
    command,
    seen,
    'scaling',
    `scale ${seen.id}: ${counts.map(({ name, instances }) => `${name}=${instances}`).join(', ')}`,
  )
  const cores = coresInUse(draft)
  const deployment = draft.deployments.edit(seen.id)
  if (deployment !== undefined) deployment.configuration = configuration
  refuseIfAny(shownConflicts(draft, command.service))
  const needs = needsOf(draft)
  for (const { name, instances } of counts) scaleRole(draft, seen, name, instances, operation)
  refuseIfAny(quotaBlockers(draft, cores))
  refuseIfAny(roomBlockers(draft, needs))
  return operation.id
}

function onlyCertificates(configuration: Configuration): boolean {
  return Object.values(configuration.roles).every(
    ({ instances, settings }) => instances === undefined && Object.keys(settings ?? {}).length === 0,
  )
}

/** Out: the next indices start. In: the highest indices go, drained first. */
function scaleRole(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  name: string,
  wanted: number,
  operation: OperationRecord,
): void {
  const role = draft.roles.edit(roleKey(deployment.id, name))
  if (role === undefined) return
  operation.from[name] = String(role.instances.length)
  operation.to[name] = String(wanted)
  const suspended = deployment.state === 'suspended'
  for (let index = role.instances.length; index < wanted; index++) {
    addInstance(draft, role, index, deployment.upgradeDomainCount, suspended ? 'stopped' : 'starting')
  }
  for (const instance of role.instances) if (instance.index >= wanted) takeDown(draft, instance, { kind: 'remove' })
}

/** One instance down in good order and up again; `reimage` also gives it fresh files. */
export function acceptInstance(draft: Draft, command: InstanceCommand): string {
  const seen = requireDeployment(draft, command.service, command.slot)
  requireUpgradable(draft, seen)
  const role = draft
    .rolesOf(seen.id)
    .find(candidate => candidate.instances.some(instance => instance.id === command.instance))
  const instance = draft.roles
    .edit(roleKey(seen.id, role?.name ?? ''))
    ?.instances.find(candidate => candidate.id === command.instance)
  if (instance === undefined) {
    const known = draft.rolesOf(seen.id).flatMap(candidate => candidate.instances.map(({ id }) => id))
    refuse('instance_not_found', `there is no instance "${command.instance}"; there are ${known.join(', ')}`)
  }
  const operation = begin(
    draft,
    command.kind,
    command,
    seen,
    'restarting',
    `${command.kind} ${command.instance} of ${seen.id}`,
  )
  operation.instance = instance.id
  takeDown(draft, instance, {
    kind: 'restart',
    spec: instance.spec,
    clean: command.kind === 'reimage' ? 'system' : 'none',
  })
  return operation.id
}

/** Moves delete, suspend, start, scale, reboot and reimage as far as what is known allows. */
export function advanceChange(draft: Draft, operation: Readonly<OperationRecord>): void {
  const id = operation.deployments[0]
  if (id === undefined) return
  const instances = draft.rolesOf(id).flatMap(role => role.instances)
  switch (operation.kind) {
    case 'delete':
      if (forgetIfGone(draft, id)) enterStep(draft, operation.id, 'publishing')
      break
    case 'suspend':
      if (instances.every(instance => instance.stage === 'stopped')) settle(draft, operation, 'suspended')
      break
    case 'start':
      if (instances.every(isReady)) settle(draft, operation, 'running')
      else failIfHopeless(draft, operation, id, instances)
      break
    case 'scale': {
      const scaled = Object.entries(operation.to).map(([name, count]) => ({
        there: draft.roles.get(roleKey(id, name))?.instances ?? [],
        from: Number(operation.from[name]),
        count: Number(count),
      }))
      // Only what this operation brings is its business: a scale must be able to remove what does not start.
      const added = scaled.flatMap(({ there, from }) => there.filter(instance => instance.index >= from))
      const counted = scaled.every(({ there, count }) => there.length === count)
      if (counted && added.every(isReady)) enterStep(draft, operation.id, 'publishing')
      else failIfHopeless(draft, operation, id, added)
      break
    }
    case 'reboot':
    case 'reimage': {
      const instance = instances.find(candidate => candidate.id === operation.instance)
      if (instance === undefined || (isReady(instance) && instance.next === null))
        enterStep(draft, operation.id, 'publishing')
      else failIfHopeless(draft, operation, id, [instance])
      break
    }
    case 'drain':
    case 'undrain':
    case 'create':
    case 'configure':
    case 'swap':
    case 'upgrade':
    case 'walk':
    case 'rollback':
      break
  }
}

function settle(draft: Draft, operation: Readonly<OperationRecord>, state: 'suspended' | 'running'): void {
  const deployment = draft.deployments.edit(operation.deployments[0] ?? '')
  if (deployment !== undefined) deployment.state = state
  enterStep(draft, operation.id, 'publishing')
}

function failIfHopeless(
  draft: Draft,
  operation: Readonly<OperationRecord>,
  id: string,
  instances: readonly Readonly<InstanceRecord>[],
): void {
  const hopeless = instances.filter(instance => instance.hopeless)
  if (hopeless.length === 0) return
  const deployment = draft.deployments.edit(id)
  if (deployment?.state === 'starting') deployment.state = 'running'
  endOperation(draft, operation.id, 'Failed', {
    code: 'start_failed',
    message: `${hopeless.map(instance => instance.id).join(', ')} did not start; see \`vipswap logs ${hopeless[0]?.id ?? ''}\``,
  })
}
