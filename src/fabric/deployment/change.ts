import type {
  ConfigureCommand,
  DeleteCommand,
  DeleteServiceCommand,
  InstanceCommand,
  StatusCommand,
} from '../../contracts/command.ts'
import type { OperationKind } from '../../contracts/api/operation.ts'
import { own } from '../../core/own.ts'
import type { Draft } from '../draft.ts'
import { admit } from '../admit.ts'
import { specOf, startAgain } from '../instances.ts'
import { keepUp, takeDown } from '../way-down.ts'
import { isReady } from '../seen.ts'
import { requireDeployment, requireService } from '../lookup.ts'
import { beginOperation, endOperation, enterStep } from '../operations.ts'
import { refuse, refuseIfAny } from '../refusal.ts'
import { checkConfiguration, mergeConfiguration, requireRelease } from '../specs.ts'
import type { DeploymentRecord, InstanceRecord } from '../state.ts'
import { roleKey } from '../keys.ts'
import type { OperationRecord } from '../operation-record.ts'
import { takeOver } from '../upgrade/accept.ts'
import { beginUpgrade, type Wish } from '../upgrade/begin.ts'
import { differs } from '../upgrade/changed-roles.ts'
import { isComposed, latestEnd } from '../upgrade/supersede.ts'
import { advanceUpgrade, pauseWalk } from '../upgrade/walk.ts'
import { changedCertificates } from '../certificates.ts'
import type { Configuration } from '../../model/definition.ts'
import { applyCertificates } from './renew.ts'
import { acceptScale, advanceScale, changedCounts } from './scale.ts'
import { abandon, createUnderWay } from './advance-create.ts'
import { forgetIfGone, removeInstances } from './remove.ts'

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

/** Accepts the removal of a deployment; also while something else is done to it, which it ends. */
export function acceptDelete(draft: Draft, command: DeleteCommand): string {
  const deployment = requireDeployment(draft, command.service, command.slot)
  // As it is until it is ended: what it had found is to be put back.
  const creating = createUnderWay(draft, deployment.id)
  admit(draft, deployment, 'delete')
  const operation = begin(
    draft,
    'delete',
    command,
    deployment,
    creating === undefined ? 'draining' : 'publishing',
    `delete ${deployment.id} in ${command.slot}`,
  )
  operation.from = { [command.slot]: deployment.id }
  operation.to = { [command.slot]: null }
  if (creating === undefined) removeInstances(draft, deployment.id)
  else abandon(draft, creating, deployment.id)
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

/** Suspends (drain, stop, keep the place) or starts a whole deployment; a walk pauses meanwhile. */
export function acceptStatus(draft: Draft, command: StatusCommand): string {
  const seen = requireDeployment(draft, command.service, command.slot)
  const suspend = command.status === 'Suspended'
  const kind = suspend ? 'suspend' : 'start'
  admit(draft, seen, kind)
  if (suspend ? seen.state === 'suspended' : seen.state !== 'suspended' && seen.state !== 'suspending') {
    refuse('nothing_to_do', `deployment ${seen.id} is ${seen.state} already`)
  }
  const operation = begin(
    draft,
    kind,
    command,
    seen,
    suspend ? 'draining' : 'starting',
    `${kind} ${seen.id} in ${command.slot}`,
  )
  const deployment = draft.deployments.edit(seen.id)
  if (deployment !== undefined) {
    deployment.state = suspend ? 'suspending' : 'starting'
    if (suspend) pauseWalk(draft, deployment)
  }
  for (const { name } of draft.rolesOf(seen.id)) {
    const role = draft.roles.edit(roleKey(seen.id, name))
    if (role === undefined) continue
    for (const instance of role.instances) {
      // What is planned comes with its walk.
      if (instance.next === 'remove' || instance.stage === 'planned') continue
      if (suspend) takeDown(draft, instance, { kind: 'stop' })
      else if (instance.stage === 'stopped') startAgain(draft, role, instance)
      else if (!keepUp(draft, instance)) takeDown(draft, instance, { kind: 'restart', spec: instance.spec })
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
  const latest = latestEnd(seen)
  const release = requireRelease(draft.releases, latest.package)
  // A role may be of an earlier package than the deployment's, and the latter may not have it.
  const definitions = Object.fromEntries(
    draft.rolesOf(seen.id).map(role => [role.name, specOf(role, role.target).definition]),
  )
  const certificates = changedCertificates(latest.configuration, command.configuration)
  refuseIfAny(checkConfiguration(definitions, command.configuration))
  const renew = (): string => {
    admit(draft, seen, 'certificates')
    return applyCertificates(draft, seen.id, command.configuration, certificates)
  }
  if (certificates.length > 0 && onlyCertificates(command.configuration)) return renew()
  const counts = changedCounts(draft, seen.id, command.configuration)
  const settings = Object.values(command.configuration.roles).some(hasSettings)
  const fronted = counts.find(({ name }) => (own(definitions, name)?.upstreams.length ?? 0) > 0)
  if (fronted !== undefined) {
    refuse(
      'change_not_allowed',
      `role ${fronted.name} fronts what its \`upstreams\` list: deploy a package that lists others`,
    )
  }
  const { upgrade } = seen
  // Beside a walk that has other counts at its two ends no third ones can stand: it is taken on with them instead.
  const reshaping = upgrade !== null && isComposed(upgrade)
  if (counts.length > 0 && !settings && !reshaping) return acceptScale(draft, command, seen, counts)
  const configuration = mergeConfiguration(latest.configuration, command.configuration)
  const wish: Wish = {
    mode: command.mode ?? (reshaping && !settings ? upgrade.mode : 'auto'),
    ...(reshaping && !settings ? { policy: 'kept' } : {}),
    role: null,
    restartUnchanged: false,
    overlap: false,
    ownPackages: true,
    allowRoleChanges: true,
    label: latest.label,
    slot: command.slot,
  }
  if (differs(draft, seen.id, release, configuration, wish)) {
    takeOver(draft, seen, 'configure')
    return beginUpgrade(draft, seen.id, release, configuration, wish)
  }
  if (certificates.length > 0) return renew()
  refuse('nothing_to_do', `nothing in it differs from what ${seen.id} has, or is told to have, already`)
}

function hasSettings({ settings = {}, slotSettings = {} }: Configuration['roles'][string]): boolean {
  return Object.keys(settings).length + Object.keys(slotSettings).length > 0
}

function onlyCertificates(configuration: Configuration): boolean {
  return Object.values(configuration.roles).every(role => role.instances === undefined && !hasSettings(role))
}

/** One instance down in good order and up again; `reimage` also gives it fresh files. */
export function acceptInstance(draft: Draft, command: InstanceCommand): string {
  const seen = requireDeployment(draft, command.service, command.slot)
  admit(draft, seen, 'reboot', command.instance)
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
  if (instance.node === '') {
    refuse(
      'change_not_allowed',
      `${command.instance} fronts what already runs: vipswap cannot ${command.kind} it; \`vipswap drain ${command.instance}\` takes it out of rotation meanwhile`,
    )
  }
  if (instance.next === 'remove') {
    refuse('operation_in_progress', `${command.instance} is on its way out (\`vipswap scale\`)`)
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
  // What is planned comes with its walk, which goes on after the start.
  const instances = draft.rolesOf(id).flatMap(role => role.instances.filter(({ stage }) => stage !== 'planned'))
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
    case 'scale':
      advanceScale(draft, operation)
      break
    case 'rollback':
      // Of a scale; that of a walk is moved with the walk.
      if (operation.step === 'scaling') advanceScale(draft, operation)
      break
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
    case 'pause':
    case 'resume':
    case 'create':
    case 'configure':
    case 'swap':
    case 'upgrade':
    case 'walk':
      break
  }
}

function settle(draft: Draft, operation: Readonly<OperationRecord>, state: 'suspended' | 'running'): void {
  const deployment = draft.deployments.edit(operation.deployments[0] ?? '')
  if (deployment !== undefined) deployment.state = state
  enterStep(draft, operation.id, 'publishing')
  // A walk that waited for it goes on with the same change.
  if (deployment !== undefined) advanceUpgrade(draft, deployment.id)
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
  advanceUpgrade(draft, id)
}
