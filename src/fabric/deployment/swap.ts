import { assertNever } from '../../core/errors.ts'
import type { SwapCommand } from '../../contracts/command.ts'
import { SLOTS } from '../../model/common.ts'
import type { Draft } from '../draft.ts'
import { isReady, specOf } from '../instances.ts'
import { requireService } from '../lookup.ts'
import { beginOperation, endOperation, operationsOn } from '../operations.ts'
import { refuse, refuseIfAny, type Blocker } from '../refusal.ts'
import { roleKey, type ServiceRecord } from '../state.ts'
import { swapWarnings } from '../version-path.ts'
import { describeWalk } from '../upgrade/gate.ts'
import { certificateConflicts } from './conflicts.ts'
import { facesOf } from './faces.ts'
import { endpointsOfDeployment } from './listeners.ts'

/** Everything that speaks against a swap now, and what is worth knowing before one. */
export function swapPreflight(
  draft: Draft,
  service: Readonly<ServiceRecord>,
): { blockers: Blocker[]; warnings: string[] } {
  const blockers: Blocker[] = []
  const warnings: string[] = []
  const { production, staging } = service.slots
  if (staging === null) {
    blockers.push({
      code: 'slot_empty',
      message: `the staging slot of ${service.name} is empty: \`vipswap deploy PACKAGE --slot staging\` first`,
    })
    return { blockers, warnings }
  }
  for (const slot of SLOTS) {
    const id = service.slots[slot]
    const deployment = id === null ? undefined : draft.deployments.get(id)
    if (deployment === undefined) continue
    if (deployment.state !== 'running') {
      blockers.push({
        code: 'not_running',
        message: `deployment ${deployment.id} in ${slot} is ${deployment.state}, not running`,
      })
    }
    if (deployment.upgrade !== null) {
      blockers.push({
        code: 'upgrade_in_progress',
        message: `deployment ${deployment.id} in ${slot} is being changed: ${describeWalk(deployment.upgrade)}`,
      })
    }
  }
  for (const operation of operationsOn(
    draft,
    [production, staging].filter(id => id !== null),
  )) {
    if (blockers.some(blocker => blocker.code === 'upgrade_in_progress' || blocker.code === 'not_running')) break
    blockers.push({ code: 'operation_in_progress', message: `${operation.kind} ${operation.id} is in progress` })
  }
  if (production !== null) compareEndpoints(draft, production, staging, blockers)
  warnings.push(...swapWarnings(draft, production, staging))
  const swapped = { ...service, slots: { production: staging, staging: production } }
  blockers.push(...certificateConflicts(draft, swapped, facesOf(draft, swapped)))
  compareCapacity(draft, production, staging, blockers, warnings)
  return { blockers, warnings }
}

/**
 * Who would answer: a role that callers reach and of which nothing is ready in staging blocks; what is only less than all,
 * or less than production has now, warns.
 */
function compareCapacity(
  draft: Draft,
  production: string | null,
  staging: string,
  blockers: Blocker[],
  warnings: string[],
): void {
  const roles = draft.rolesOf(staging)
  const readyOf = (id: string, name: string): number =>
    (draft.roles.get(roleKey(id, name))?.instances ?? []).filter(isReady).length
  const blocked = (message: string): void => {
    blockers.push({ code: 'not_ready', message: `${message}: \`vipswap status --slot staging\` says why` })
  }
  const instances = roles.flatMap(role => role.instances)
  if (instances.length > 0 && !instances.some(isReady)) {
    blocked(`no instance of ${staging} in staging is ready`)
    return
  }
  for (const role of roles) {
    const ready = readyOf(staging, role.name)
    const total = role.instances.length
    const reached = specOf(role, role.target).definition.endpoints.some(({ internal }) => !internal)
    if (total > 0 && ready === 0 && reached) {
      blocked(`no instance of role ${role.name} of ${staging} in staging is ready`)
    } else if (ready < total) {
      warnings.push(`role ${role.name}: ${ready} of ${total} instances of ${staging} are ready`)
    }
    const now = production === null ? 0 : readyOf(production, role.name)
    if (ready < now && ready > 0) {
      warnings.push(
        `role ${role.name}: production goes from ${now} ready instances to ${ready}; \`vipswap scale ${role.name}=${now} --slot staging\` first`,
      )
    }
  }
}

/** Same endpoints on both sides (Azure asks for the same number; addresses stay, so protocol and port must match too). */
function compareEndpoints(draft: Draft, production: string, staging: string, blockers: Blocker[]): void {
  const describe = (deployment: string): string =>
    endpointsOfDeployment(draft, deployment)
      .filter(({ endpoint }) => !endpoint.internal)
      .map(
        ({ role, endpoint: { name, protocol, port, proxyProtocol } }) =>
          `${role}/${name} ${protocol} ${port}${proxyProtocol ? ' proxyProtocol' : ''}`,
      )
      .toSorted()
      .join(', ')
  const [before, after] = [describe(production), describe(staging)]
  if (before === after) return
  blockers.push({
    code: 'endpoint_mismatch',
    message: `production has endpoints ${before || 'none'}, staging has ${after || 'none'}: they must be the same; else delete production and redeploy`,
  })
}

/** Accepts a swap, or a phase of one. The exchange is this one change of state: all endpoints of both slots together. */
export function acceptSwap(draft: Draft, command: SwapCommand): string {
  const seen = requireService(draft, command.service)
  const { expect } = command
  // Taken and not done would be a promise: its probe traffic comes later.
  if (command.verify === true)
    refuse('change_not_allowed', '`verify` is not available in this version: swap without it')
  if (expect !== undefined && (expect.production !== seen.slots.production || expect.staging !== seen.slots.staging)) {
    refuse(
      'expectation_failed',
      `expected ${expect.production ?? 'nothing'} in production and ${expect.staging ?? 'nothing'} in staging, found ${seen.slots.production ?? 'nothing'} and ${seen.slots.staging ?? 'nothing'}`,
    )
  }
  const service = draft.services.edit(command.service)
  if (service === undefined) refuse('service_not_found', `there is no service "${command.service}"`)
  switch (command.phase) {
    case 'prepare':
      return prepare(draft, service)
    case 'cancel':
      return cancel(draft, service)
    case 'commit':
      if (service.prepared === null) refuse('nothing_to_do', 'no swap is prepared: `vipswap swap prepare` first')
      return exchange(draft, service)
    case undefined:
      if (service.prepared !== null)
        refuse('operation_in_progress', 'a swap is prepared: `vipswap swap commit` or `vipswap swap cancel`')
      return exchange(draft, service)
    default:
      return assertNever(command.phase)
  }
}

function prepare(draft: Draft, service: ServiceRecord): string {
  if (service.prepared !== null) refuse('operation_in_progress', 'a swap is prepared already: commit or cancel it')
  refuseIfAny(swapPreflight(draft, service).blockers)
  const operation = begin(draft, service, 'prepare the swap', 'prepared')
  service.prepared = { operation: operation.id, ...service.slots }
  endOperation(draft, operation.id, 'Succeeded')
  return operation.id
}

function cancel(draft: Draft, service: ServiceRecord): string {
  if (service.prepared === null) refuse('nothing_to_do', 'no swap is prepared')
  const operation = begin(draft, service, 'cancel the prepared swap', 'cancelled')
  service.prepared = null
  endOperation(draft, operation.id, 'Succeeded')
  return operation.id
}

function exchange(draft: Draft, service: ServiceRecord): string {
  refuseIfAny(swapPreflight(draft, service).blockers)
  const operation = begin(draft, service, 'swap', 'publishing')
  service.slots = { production: service.slots.staging, staging: service.slots.production }
  service.prepared = null
  operation.to = { ...service.slots }
  return operation.id
}

function begin(draft: Draft, service: ServiceRecord, message: string, step: string) {
  const operation = beginOperation(draft, {
    kind: 'swap',
    service: service.name,
    slot: null,
    deployments: [service.slots.production, service.slots.staging].filter(id => id !== null),
    step,
    message: `${message}: production ${service.slots.production ?? 'empty'}, staging ${service.slots.staging ?? 'empty'}`,
  })
  operation.from = { ...service.slots }
  operation.to = { ...service.slots }
  return operation
}
