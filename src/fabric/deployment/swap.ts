import { assertNever } from '../../core/errors.ts'
import type { SwapCommand } from '../../contracts/command.ts'
import { SLOTS } from '../../model/slot.ts'
import { inRotation } from '../capacity.ts'
import type { Draft } from '../draft.ts'
import { evaluateHealth } from '../health/evaluate.ts'
import { healthOf } from '../health/report.ts'
import { specOf } from '../instances.ts'
import { isReady } from '../seen.ts'
import { requireService } from '../lookup.ts'
import { beginOperation, endOperation, operationsOn } from '../operations.ts'
import { refuse, refuseIfAny, type Blocker } from '../refusal.ts'
import type { ServiceRecord } from '../state.ts'
import { roleKey } from '../keys.ts'
import type { OperationRecord, SwapProgress } from '../operation-record.ts'
import { swapWarnings } from '../version-path.ts'
import { describeWalk } from '../upgrade/gate.ts'
import { certificateConflicts } from './conflicts.ts'
import { facesOf } from './faces.ts'
import { endpointsOfDeployment } from './listeners.ts'
import { configurationFor, giveValues, needsWalk } from '../slot-settings/values.ts'
import { requireProbes } from '../verify/targets.ts'
import { restoreCandidate } from './restore-candidate.ts'

/** Everything that speaks against a swap now (`own` is the one that asks), and what is worth knowing before one. */
export function swapPreflight(
  draft: Draft,
  service: Readonly<ServiceRecord>,
  own: string | null = null,
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
    if (operation.id === own) continue
    if (blockers.some(blocker => blocker.code === 'upgrade_in_progress' || blocker.code === 'not_running')) break
    blockers.push({ code: 'operation_in_progress', message: `${operation.kind} ${operation.id} is in progress` })
  }
  if (production !== null) compareEndpoints(draft, production, staging, blockers)
  warnings.push(...swapWarnings(draft, production, staging))
  const swapped = { ...service, slots: { production: staging, staging: production } }
  blockers.push(...certificateConflicts(draft, swapped, facesOf(draft, swapped)))
  compareCapacity(draft, production, staging, blockers, warnings)
  warnings.push(...ailments(draft, staging))
  return { blockers, warnings }
}

/** What the health of the candidate says beyond instances that are not ready, which has been said. */
function ailments(draft: Draft, staging: string): string[] {
  const deployment = draft.deployments.get(staging)
  const roles = draft.rolesOf(staging)
  if (deployment === undefined || !roles.every(role => role.instances.every(isReady))) return []
  const subject = { deployment: staging, roles, policy: deployment.policy, completed: [], baseline: [] }
  const { state, evaluations } = evaluateHealth(healthOf(draft), subject)
  const [worst] = evaluations
  return state === 'Ok' || worst === undefined
    ? []
    : [`the health of ${staging} in staging is ${state}: ${worst.description}`]
}

/**
 * Who would answer: a role that callers reach and of which nothing is in rotation in staging blocks (not ready, or drained);
 * what is only less than all, or less than production has now, warns.
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
    (draft.roles.get(roleKey(id, name))?.instances ?? []).filter(inRotation).length
  const blocked = (message: string): void => {
    blockers.push({ code: 'not_ready', message: `${message}: \`vipswap status --slot staging\` says why` })
  }
  const instances = roles.flatMap(role => role.instances)
  if (instances.length > 0 && !instances.some(inRotation)) {
    blocked(`no instance of ${staging} in staging is ${instances.some(isReady) ? 'in rotation' : 'ready'}`)
    return
  }
  for (const role of roles) {
    const ready = readyOf(staging, role.name)
    const total = role.instances.length
    const reached = specOf(role, role.target).definition.endpoints.some(({ internal }) => !internal)
    if (total > 0 && ready === 0 && reached) {
      const what = role.instances.some(isReady) ? 'in rotation' : 'ready'
      blocked(`no instance of role ${role.name} of ${staging} in staging is ${what}`)
    } else if (ready < total) {
      const aside = role.instances.filter(({ drained }) => drained === true).length
      const drained = aside === 0 ? '' : ` (${aside} drained)`
      warnings.push(`role ${role.name}: ${ready} of ${total} instances of ${staging} are ready${drained}`)
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

/**
 * Accepts a swap, or a phase of one, and gives the candidate production's values of the settings that belong to a slot.
 * A swap that has nothing to wait for exchanges the slots in this very change (advance-swap.ts).
 */
export function acceptSwap(draft: Draft, command: SwapCommand): string {
  const seen = requireService(draft, command.service)
  const { expect } = command
  if (expect !== undefined && (expect.production !== seen.slots.production || expect.staging !== seen.slots.staging)) {
    refuse(
      'expectation_failed',
      `expected ${expect.production ?? 'nothing'} in production and ${expect.staging ?? 'nothing'} in staging, found ${seen.slots.production ?? 'nothing'} and ${seen.slots.staging ?? 'nothing'}`,
    )
  }
  const service = draft.services.edit(command.service)
  if (service === undefined) refuse('service_not_found', `there is no service "${command.service}"`)
  const verify = command.verify === true
  switch (command.phase) {
    case 'prepare':
      if (service.prepared !== null) refuse('operation_in_progress', 'a swap is prepared already: commit or cancel it')
      if (verify) refuse('change_not_allowed', '`verify` goes with the exchange: `vipswap swap commit --verify`')
      return prepare(draft, service, 'prepare', false)
    case 'cancel':
      return cancel(draft, service)
    case 'commit':
      return commit(draft, service, verify)
    case undefined:
      if (service.prepared !== null)
        refuse('operation_in_progress', 'a swap is prepared: `vipswap swap commit` or `vipswap swap cancel`')
      return prepare(draft, service, 'swap', verify)
    default:
      return assertNever(command.phase)
  }
}

/** The first half of every swap: production's values, warm instances, checks. A plain one goes on by itself. */
function prepare(draft: Draft, service: ServiceRecord, phase: 'swap' | 'prepare', verify: boolean): string {
  refuseIfAny(swapPreflight(draft, service).blockers)
  const { production, staging: candidate } = service.slots
  if (verify) verifiable(draft, candidate)
  const operation = begin(draft, service, phase === 'swap' ? 'swap' : 'prepare the swap', 'settings', {
    phase,
    verify,
  })
  const before = draft.deployments.get(candidate ?? '')?.configuration
  if (candidate === null || before === undefined) return operation.id
  const there = draft.deployments.get(production ?? '')?.configuration ?? null
  const configuration = configurationFor(draft, candidate, there)
  const same = JSON.stringify(configuration) === JSON.stringify(before)
  if (same && !needsWalk(draft, candidate, configuration, 'production')) return operation.id
  operation.swap.restore = structuredClone(before)
  const given = giveValues(draft, candidate, configuration, 'production')
  if ('refusal' in given) refuseIfAny(given.refusal.blockers)
  else operation.swap.walk = given.walk
  return operation.id
}

/** The pointer change alone; what is another process since it was prepared is warmed first. */
function commit(draft: Draft, service: ServiceRecord, verify: boolean): string {
  if (service.prepared === null) refuse('nothing_to_do', 'no swap is prepared: `vipswap swap prepare` first')
  refuseIfAny(swapPreflight(draft, service).blockers)
  if (verify) verifiable(draft, service.slots.staging)
  const operation = begin(draft, service, 'commit the prepared swap', 'warming', { phase: 'commit', verify })
  operation.swap.restore = service.prepared.restore ?? null
  return operation.id
}

/** Also of one that is being prepared, or waits for a hook: until the slots are exchanged all can be put back. */
function cancel(draft: Draft, service: ServiceRecord): string {
  const running = operationsOn(
    draft,
    Object.values(service.slots).filter(id => id !== null),
  ).find(({ kind }) => kind === 'swap')
  if (running?.swap?.exchangedMono != null || (running?.swap?.phase === 'cancel' && service.prepared === null)) {
    refuse('operation_in_progress', `${running.kind} ${running.id} is too far to be cancelled: it ends by itself soon`)
  }
  if (running === undefined && service.prepared === null) refuse('nothing_to_do', 'no swap is prepared')
  const restore = running?.swap?.restore ?? service.prepared?.restore ?? null
  if (running !== undefined)
    endOperation(draft, running.id, 'Cancelled', { code: 'cancelled', message: 'cancelled on request' })
  const operation = begin(draft, service, 'cancel the prepared swap', 'settings', { phase: 'cancel', verify: false })
  service.prepared = null
  operation.swap.walk = restoreCandidate(draft, service.name, restore)
  return operation.id
}

function verifiable(draft: Draft, candidate: string | null): void {
  const deployment = draft.deployments.get(candidate ?? '')
  if (deployment !== undefined) requireProbes(draft, deployment, null)
}

function begin(
  draft: Draft,
  service: ServiceRecord,
  message: string,
  step: string,
  asked: Pick<SwapProgress, 'phase' | 'verify'>,
): OperationRecord & { swap: SwapProgress } {
  const operation = beginOperation(draft, {
    kind: 'swap',
    service: service.name,
    slot: null,
    deployments: [service.slots.production, service.slots.staging].filter(id => id !== null),
    step,
    message: `${message}: production ${service.slots.production ?? 'empty'}, staging ${service.slots.staging ?? 'empty'}`,
  })
  const swap: SwapProgress = { ...asked, walk: null, restore: null, exchangedMono: null, failure: null }
  return Object.assign(operation, { swap, from: { ...service.slots }, to: { ...service.slots } })
}
