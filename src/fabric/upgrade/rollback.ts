import type { RollbackCommand, WalkCommand } from '../../contracts/command.ts'
import type { Draft } from '../draft.ts'
import { keepUp, takeDown } from '../way-down.ts'
import { failedToCome, isReady } from '../seen.ts'
import { requireDeployment, slotOf } from '../lookup.ts'
import { beginOperation, endOperation, operationsOn } from '../operations.ts'
import { refuse } from '../refusal.ts'
import type { DeploymentRecord, InstanceRecord } from '../state.ts'
import { roleKey } from '../keys.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { rollbackWarning } from '../version-path.ts'
import { fitAddresses } from './addresses.ts'
import { freshClocks } from './clocks.ts'
import { codeOf, failureOf } from './failure-reason.ts'
import { tellRollback } from '../hooks/domain-gates.ts'
import { scaleUnderWay, undoScale } from '../deployment/scale.ts'
import { describeWalk, waitsForWalk } from './gate.ts'
import { rollbackBlock } from './may-roll-back.ts'
import { changesEndpoints, leaves, returnedNote, revive } from './roles.ts'
import { downBecauseOf } from './supersede.ts'
import { writeDomains } from './walked.ts'

/** Accepts the way back: what has not moved stays, what has moved returns, the domain in flight first. */
export function acceptRollback(draft: Draft, command: RollbackCommand): string {
  const seen = requireDeployment(draft, command.service, command.slot)
  const block = rollbackBlock(draft, seen)
  if (block !== null) refuse(block.code, block.message)
  const scale = scaleUnderWay(draft, seen.id)
  const undone = scale === null ? null : undoScale(draft, scale)
  const deployment = draft.deployments.edit(seen.id)
  if (deployment === undefined) refuse('deployment_not_found', `there is no deployment ${seen.id}`)
  // Of a walk and a scale beside it both go back; the answer is the longer one.
  if (deployment.upgrade !== null && !isBack(deployment.upgrade)) {
    overtakeStart(draft, deployment)
    return beginRollback(draft, deployment, command.mode ?? 'auto', null)
  }
  if (undone === null) refuse('rollback_not_allowed', 'nothing is in progress')
  return undone
}

/** A start that has not ended goes on as part of what takes its place. */
function overtakeStart(draft: Draft, deployment: DeploymentRecord): void {
  if (deployment.state !== 'starting') return
  deployment.state = 'running'
  for (const { id, kind } of operationsOn(draft, [deployment.id])) {
    if (kind !== 'start') continue
    endOperation(draft, id, 'Cancelled', { code: 'superseded', message: '`rollback` took its place' })
  }
}

/** On its way back already, and not halted there. */
function isBack({ direction, phase }: UpgradeRecord): boolean {
  return direction === 'back' && phase !== 'halted'
}

/** Turns the running upgrade around. `reason` says why when nobody asked for it. Answers the rollback's operation. */
export function beginRollback(
  draft: Draft,
  deployment: DeploymentRecord,
  mode: 'auto' | 'manual',
  reason: string | null,
): string {
  const upgrade = deployment.upgrade
  if (upgrade === null) refuse('rollback_not_allowed', 'no upgrade is in progress')
  const failure =
    reason === null ? failureOf(upgrade, 'Interrupted', 'rolled back on request', draft.now.wall) : upgrade.failure
  if (upgrade.walk !== null) {
    writeDomains(draft, upgrade.walk, upgrade, failure)
    endOperation(draft, upgrade.walk, 'Cancelled', { code: 'superseded', message: 'a rollback took its place' })
  }
  writeDomains(draft, upgrade.operation, upgrade, upgrade.direction === 'back' ? null : failure)
  endOperation(draft, upgrade.operation, 'RolledBack', {
    code: reason === null || upgrade.failure === null ? 'cancelled' : codeOf(upgrade.failure.reason),
    message: reason === null ? 'rolled back on request' : `rolled back: ${reason}`,
  })
  const operation = beginOperation(draft, {
    kind: 'rollback',
    service: deployment.service,
    slot: slotOf(draft, deployment),
    deployments: [deployment.id],
    step: 'walking',
    message: `rollback of ${deployment.id} from ${upgrade.to.version} to ${upgrade.from.version}${reason === null ? '' : `: ${reason}`}`,
  })
  operation.from = { version: upgrade.to.version, package: upgrade.to.package }
  operation.to = { version: upgrade.from.version, package: upgrade.from.package }
  const warning = rollbackWarning(deployment)
  if (warning !== null) {
    operation.remarks.push(warning)
    draft.event('warning', warning, { service: deployment.service, deployment: deployment.id, operation: operation.id })
  }
  // Asked for again: what did not start is started afresh.
  const again = upgrade.phase === 'halted' ? downBecauseOf(upgrade) : []
  const inFlight = downBecauseOf(upgrade)
  const moved = new Set<number>()
  const broken = new Set<number>()
  for (const [name, { from }] of Object.entries(upgrade.roles)) {
    const role = draft.roles.edit(roleKey(deployment.id, name))
    if (role === undefined) continue
    role.target = from
    for (const instance of role.instances) {
      if (instance.next === 'remove' || leaves({ ...upgrade, direction: 'back' }, name, instance)) continue
      if (instance.spec !== from) {
        moved.add(instance.upgradeDomain)
        if (!isReady(instance)) broken.add(instance.upgradeDomain)
      } else if (again.includes(instance.upgradeDomain) && failedToCome(draft, deployment.id, instance)) {
        takeDown(draft, instance, { kind: 'restart', spec: from })
        moved.add(instance.upgradeDomain)
        broken.add(instance.upgradeDomain)
      } else if (instance.nextSpec !== null && instance.nextSpec !== from && !keepUp(draft, instance)) {
        // Told to stop already: it comes back as what it was.
        instance.nextSpec = from
        moved.add(instance.upgradeDomain)
      } else if (inFlight.includes(instance.upgradeDomain) && isOnItsWay(instance)) {
        // It comes back as what it was already: no other domain goes down before it is there.
        moved.add(instance.upgradeDomain)
      }
    }
  }
  const revived = upgrade.direction === 'forward' ? revive(draft, deployment, upgrade) : []
  if (revived.length > 0) operation.remarks.push(returnedNote(revived))
  deployment.upgrade = {
    ...upgrade,
    operation: operation.id,
    direction: 'back',
    mode,
    domains: backwards(upgrade, moved, broken),
    inFlight: [],
    overlap: false,
    position: 0,
    phase: 'waiting',
    closing: null,
    walk: null,
    clocks: freshClocks(draft.now),
    walked: [],
    verified: [],
    stuck: [],
    failure,
  }
  tellRollback(draft, deployment, deployment.upgrade)
  if (changesEndpoints(draft, deployment.id, upgrade)) fitAddresses(draft, deployment)
  // As with a manual upgrade: accepted is done, each walk is an operation of its own.
  if (mode === 'manual') endOperation(draft, operation.id, 'Succeeded')
  return operation.id
}

/** On its way up or down, and not given up. */
export function isOnItsWay({ stage, hopeless }: Readonly<InstanceRecord>): boolean {
  return stage !== 'serving' && stage !== 'planned' && !hopeless
}

/**
 * The domain in flight first, then those where something does not serve, then the finished ones, the latest first (what an
 * earlier walk moved last of all); untouched domains are not in it.
 */
function backwards(upgrade: UpgradeRecord, moved: ReadonlySet<number>, broken: ReadonlySet<number>): number[] {
  const walked = upgrade.walked.map(({ domain }) => domain).toReversed()
  const order = [...downBecauseOf(upgrade), ...broken, ...walked, ...upgrade.domains, ...moved]
  return [...new Set(order)].filter(domain => moved.has(domain))
}

/** Accepts one walk of the manual modes: the next domain, and only that. */
export function acceptWalk(draft: Draft, command: WalkCommand): string {
  const seen = requireDeployment(draft, command.service, command.slot)
  const deployment = draft.deployments.edit(seen.id)
  const upgrade = deployment?.upgrade
  if (deployment === undefined || upgrade == null) {
    refuse(
      'no_upgrade',
      `nothing is being upgraded in ${command.service}/${command.slot}: \`vipswap upgrade PACKAGE --mode manual\` begins`,
    )
  }
  if (!waitsForWalk(upgrade)) {
    refuse(
      'walk_not_allowed',
      `the upgrade walks by itself (mode ${upgrade.mode}): \`vipswap upgrade set --mode manual\` first`,
    )
  }
  const next = upgrade.domains[upgrade.position]
  if (upgrade.phase === 'halted' || deployment.state !== 'running') refuse('walk_not_allowed', describeWalk(upgrade))
  if (upgrade.phase !== 'waiting' || upgrade.walk !== null || next === undefined) {
    refuse('walk_not_allowed', `domain ${next ?? '?'} is still being walked: wait for it, or \`vipswap rollback\``)
  }
  if (command.domain !== undefined && command.domain !== next) {
    refuse(
      'walk_not_allowed',
      `the next domain is ${next}, not ${command.domain}: domains are walked in order, each once`,
    )
  }
  const operation = beginOperation(draft, {
    kind: 'walk',
    service: deployment.service,
    slot: slotOf(draft, deployment),
    deployments: [deployment.id],
    step: 'walking',
    message: `walk of domain ${next} of ${deployment.id}`,
  })
  operation.domain = next
  upgrade.walk = operation.id
  return operation.id
}
