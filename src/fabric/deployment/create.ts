import type { CreateCommand } from '../../contracts/command.ts'
import type { Draft } from '../draft.ts'
import { admit } from '../admit.ts'
import { beginOperation, swapUnderWay } from '../operations.ts'
import { refuse, refuseIfAny } from '../refusal.ts'
import { needsOf, roomBlockers } from '../room.ts'
import { checkConfiguration, mergeConfiguration, requireRelease } from '../specs.ts'
import type { DeploymentRecord, ServiceRecord } from '../state.ts'
import { missingCertificates } from '../certificates.ts'
import { addressConflicts } from './conflicts.ts'
import { addressesOf, endpointsOfDeployment, internalListeners } from './listeners.ts'
import { userBlockers } from '../processes.ts'
import { coresInUse, quotaBlockers, sizeBlockers } from '../quota.ts'
import { createRole } from '../upgrade/roles.ts'
import type { Release } from '../../model/release.ts'
import { DEFAULT_UPGRADE_POLICY } from '../../model/upgrade-policy.ts'
import type { Configuration } from '../../model/definition.ts'
import { removeInstances } from './remove.ts'
import { bind, withDeployment } from './advance-create.ts'

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
