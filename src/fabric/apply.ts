import type { Command } from '../contracts/command.ts'
import { assertNever } from '../core/errors.ts'
import type { Moment } from '../core/clock.ts'
import type { Certificate } from '../model/certificate.ts'
import { allAcknowledged, waivedProxies } from './acknowledgements.ts'
import { rebase } from './anchor.ts'
import { advanceAfter } from './around.ts'
import { acceptReport, pruneReports } from './health/report.ts'
import { pruneCertificates } from './certificates.ts'
import {
  acceptConfigure,
  acceptDelete,
  acceptDeleteService,
  acceptInstance,
  acceptStatus,
  advanceChange,
} from './deployment/change.ts'
import { adoptFaces } from './deployment/faces.ts'
import { acceptCreate } from './deployment/create.ts'
import { advanceCreate } from './deployment/advance-create.ts'
import { adoptBoundPorts } from './deployment/listeners.ts'
import { acceptSwap } from './deployment/swap.ts'
import { fillDefaults } from './defaults.ts'
import { acceptForce, acceptInstanceDrain, acceptNodeDrain, advanceNodeDrain } from './drain.ts'
import { Draft } from './draft.ts'
import type { Input } from './input.ts'
import { advanceRole } from './advance-role.ts'
import { setMark } from './marks.ts'
import { advanceNodes, silenceAll } from './nodes.ts'
import * as observe from './observe.ts'
import { endOperation } from './operations.ts'
import { acceptPause, advancePauses } from './pause.ts'
import { addRelease, releasesInUse } from './releases.ts'
import { acceptRecovery, advanceRecovery, forgetUnnamed, isHeld, refuseWhileHeld, takeRecovery } from './recovery.ts'
import { Refused, refuse, type Refusal } from './refusal.ts'
import type { FabricEvent, FabricState } from './state.ts'
import { NOTHING_OBSERVED } from './observed.ts'
import { acceptUpgrade } from './upgrade/accept.ts'
import { acceptChange } from './upgrade/change.ts'
import { rebaseUpgrade } from './upgrade/clocks.ts'
import { acceptRollback, acceptWalk } from './upgrade/rollback.ts'
import { advanceUpgrade } from './upgrade/walk.ts'
import { advanceSwap } from './deployment/advance-swap.ts'
import { pruneTasks, restartTasks, takeReport } from './tasks.ts'

/** Ended operations kept for `vipswap operations` and receipts. */
const KEEP_OPERATIONS = 500

export interface Applied {
  readonly state: FabricState
  /** Something must be journaled before any effect of it leaves the controller. */
  readonly changed: boolean
  readonly events: readonly FabricEvent[]
  /** A command's operation. */
  readonly operation: string | null
  /** A command that was not accepted: `state` is what it was. */
  readonly refusal: Refusal | null
}

/** One input folded into the state. Pure: the same state, input and moment give the same result. */
export function apply(state: FabricState, input: Input, now: Moment): Applied {
  const draft = new Draft(state, now)
  let operation: string | null = null
  if (input.kind === 'command' || input.kind === 'health-reported' || input.kind === 'recovery-accepted') {
    try {
      if (input.kind === 'recovery-accepted') acceptRecovery(draft)
      refuseWhileHeld(draft)
      if (input.kind === 'command') {
        draft.by = input.by ?? null
        keep(draft, input.certificates)
        operation = acceptOnce(draft, input.command, input.idempotencyKey)
      } else if (input.kind === 'health-reported') {
        acceptReport(draft, input)
      }
    } catch (thrown) {
      if (!(thrown instanceof Refused)) throw thrown
      return { state, changed: false, events: [], operation: null, refusal: thrown.refusal }
    }
    trim(draft)
  } else {
    take(draft, input)
  }
  // What is seen is of a later time than what is recorded: no rule may draw its conclusions.
  if (!isHeld(draft)) advance(draft)
  const { state: next, changed } = draft.finish()
  return { state: next, changed, events: draft.events, operation, refusal: null }
}

/** What a command would do: the draft after its acceptance, or why not. Nothing changes. */
export function rehearse(
  state: FabricState,
  command: Command,
  now: Moment,
  certificates: readonly Certificate[] = [],
): { draft: Draft } | { refusal: Refusal } {
  const draft = new Draft(state, now)
  try {
    refuseWhileHeld(draft)
    keep(draft, certificates)
    accept(draft, command)
    return { draft }
  } catch (thrown) {
    if (thrown instanceof Refused) return { refusal: thrown.refusal }
    throw thrown
  }
}

/** Those that nothing comes to stand on are forgotten at the end of the same change. */
function keep(draft: Draft, certificates: readonly Certificate[] = []): void {
  for (const certificate of certificates) draft.certificates.put(certificate.id, certificate)
}

function acceptOnce(draft: Draft, command: Command, key: string | null): string {
  const request = JSON.stringify(command)
  const before = key === null ? undefined : draft.requests.get(key)
  if (before !== undefined) {
    if (before.request === request) return before.operation
    refuse('idempotency_conflict', `Idempotency-Key "${key ?? ''}" was used for another request: use a new key`)
  }
  const operation = accept(draft, command)
  if (key !== null) draft.requests.put(key, { key, request, operation, at: draft.now.wall })
  return operation
}

function accept(draft: Draft, command: Command): string {
  switch (command.kind) {
    case 'create':
      return acceptCreate(draft, command)
    case 'delete':
      return acceptDelete(draft, command)
    case 'deleteService':
      return acceptDeleteService(draft, command)
    case 'swap':
      return acceptSwap(draft, command)
    case 'upgrade':
      return acceptUpgrade(draft, command)
    case 'changeUpgrade':
      return acceptChange(draft, command)
    case 'walk':
      return acceptWalk(draft, command)
    case 'rollback':
      return acceptRollback(draft, command)
    case 'configure':
      return acceptConfigure(draft, command)
    case 'status':
      return acceptStatus(draft, command)
    case 'reboot':
    case 'reimage':
      return acceptInstance(draft, command)
    case 'drain':
    case 'undrain':
      return acceptInstanceDrain(draft, command)
    case 'drainNode':
    case 'undrainNode':
      return acceptNodeDrain(draft, command)
    case 'force':
      return acceptForce(draft, command)
    case 'pause':
    case 'resume':
      return acceptPause(draft, command)
    default:
      return assertNever(command)
  }
}

function take(
  draft: Draft,
  input: Exclude<Input, { kind: 'command' | 'health-reported' | 'recovery-accepted' }>,
): void {
  switch (input.kind) {
    case 'restored':
      draft.observed = NOTHING_OBSERVED
      fillDefaults(draft)
      draft.fabric.settings = input.settings
      draft.fabric.revision = { ...draft.fabric.revision, term: draft.fabric.revision.term + 1 }
      rebaseClocks(draft)
      silenceAll(draft)
      restartTasks(draft)
      if (input.recovery != null) takeRecovery(draft, input.recovery)
      break
    case 'term-seen':
      if (input.term >= draft.fabric.revision.term) {
        draft.fabric.revision = { ...draft.fabric.revision, term: input.term + 1 }
      }
      break
    case 'release-added':
      addRelease(draft, input.release)
      keep(draft, input.certificates)
      break
    case 'releases-removed': {
      const used = releasesInUse({ deployments: draft.deployments.values(), roles: draft.roles.values() })
      for (const digest of input.digests) if (!used.has(digest)) draft.releases.delete(digest)
      break
    }
    case 'proxy-connected':
      if (isHeld(draft)) forgetUnnamed(draft, input)
      observe.proxyConnected(draft, input)
      break
    case 'proxy-acknowledged':
      observe.proxyAcknowledged(draft, input.incarnation, input)
      break
    case 'proxy-status':
      observe.proxyStatus(draft, input.incarnation, input.status)
      break
    case 'proxy-disconnected':
      observe.proxyDisconnected(draft, input.incarnation)
      break
    case 'proxy-exited':
      observe.proxyExited(draft, input.incarnation)
      break
    case 'agent-connected':
      observe.agentConnected(draft, input)
      break
    case 'agent-observed':
      observe.agentObserved(draft, input)
      break
    case 'agent-disconnected':
      observe.agentDisconnected(draft, input.node)
      break
    case 'proxy-reached':
      observe.proxyReached(draft, input.incarnation, input.revision)
      break
    case 'agent-reached':
      observe.agentReached(draft, input.node, input.revision)
      break
    case 'traffic-marked':
      setMark(draft, input)
      break
    case 'observed':
      for (const observation of input.batch) take(draft, observation)
      break
    case 'task-reported':
      takeReport(draft, input.id, input.report)
      break
    case 'tick':
      break
    default:
      assertNever(input)
  }
}

/** Everything that what is known now allows: instances first, then the walks and operations that wait for them. */
function advance(draft: Draft): void {
  advanceRecovery(draft)
  adoptBoundPorts(draft)
  advanceNodes(draft)
  for (const key of draft.roles.keys()) advanceRole(draft, key)
  for (const id of draft.deployments.keys()) advanceUpgrade(draft, id)
  for (const id of draft.operations.keys()) {
    const operation = draft.operations.get(id)
    if (operation === undefined || operation.status !== 'InProgress') continue
    if (operation.kind === 'swap') advanceSwap(draft, id)
    else if (operation.step === 'publishing') finishPublishing(draft, id)
    else if (operation.kind === 'create') advanceCreate(draft, id)
    else if (operation.kind === 'drain') advanceNodeDrain(draft, operation)
    else advanceChange(draft, operation)
  }
  pruneTasks(draft)
  advanceAfter(draft)
  advancePauses(draft)
  // Each apply ends with all of this as it should be: it is only off where something was written.
  if (draft.touched) {
    adoptFaces(draft)
    pruneCertificates(draft)
  }
  pruneReports(draft)
}

/** The last step of most operations: what was decided is in every proxy's table. */
function finishPublishing(draft: Draft, id: string): void {
  const seen = draft.operations.get(id)
  if (seen === undefined || !allAcknowledged(draft, seen.since, waivedProxies(seen))) return
  endOperation(draft, id, 'Succeeded')
}

/** Durations go on under this boot's clock (design rule 1). */
function rebaseClocks(draft: Draft): void {
  for (const key of draft.roles.keys()) {
    for (const instance of draft.roles.edit(key)?.instances ?? []) {
      instance.anchor = rebase(instance.anchor, draft.now)
      if (instance.beside !== undefined) instance.beside.anchor = rebase(instance.beside.anchor, draft.now)
    }
  }
  for (const id of draft.deployments.keys()) {
    const clocks = draft.deployments.edit(id)?.upgrade?.clocks
    if (clocks !== undefined) rebaseUpgrade(clocks, draft.now, draft.fabric.moment)
  }
  for (const key of draft.health.keys()) {
    for (const report of draft.health.edit(key)?.reports ?? []) {
      report.anchor = rebase(report.anchor, draft.now, draft.fabric.moment)
    }
  }
}

function trim(draft: Draft): void {
  const keys = draft.operations.keys()
  if (keys.length <= KEEP_OPERATIONS) return
  const ended = keys.filter(id => draft.operations.get(id)?.status !== 'InProgress')
  const oldest = ended.toSorted((a, b) => numberOf(a) - numberOf(b)).slice(0, keys.length - KEEP_OPERATIONS)
  for (const id of oldest) draft.operations.delete(id)
  for (const request of draft.requests.values())
    if (oldest.includes(request.operation)) draft.requests.delete(request.key)
}

function numberOf(operation: string): number {
  return Number(operation.slice(3))
}
