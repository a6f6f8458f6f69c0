import type { ConfigureCommand } from '../../contracts/command.ts'
import { own } from '../../core/own.ts'
import type { Configuration } from '../../model/definition.ts'
import { admit } from '../admit.ts'
import { Crowd } from '../crowd.ts'
import type { Draft } from '../draft.ts'
import { addInstance } from '../instances.ts'
import { keepUp, takeDown } from '../way-down.ts'
import { isReady } from '../seen.ts'
import { stayingCount } from '../lookup.ts'
import { beginOperation, endOperation, enterStep, operationsOn } from '../operations.ts'
import { refuse, refuseIfAny } from '../refusal.ts'
import type { DeploymentRecord } from '../state.ts'
import { roleKey } from '../keys.ts'
import type { OperationRecord } from '../operation-record.ts'
import { coresInUse, quotaBlockers } from '../quota.ts'
import { needsOf, roomBlockers } from '../room.ts'
import { countUnderWay } from '../upgrade/composition.ts'
import { adoptConfiguration, shownConflicts } from './renew.ts'

/** Roles and how many instances of them are asked for, where that differs from how many there are to be. */
export function changedCounts(
  draft: Draft,
  deployment: string,
  configuration: Configuration,
): { name: string; instances: number }[] {
  return Object.entries(configuration.roles).flatMap(([name, { instances }]) =>
    instances === undefined || instances === goal(draft, deployment, name) ? [] : [{ name, instances }],
  )
}

/** How many instances a role is to have, at the end of its walk if there is one. */
function goal(draft: Draft, deployment: string, name: string): number {
  const role = draft.roles.get(roleKey(deployment, name))
  return role === undefined ? 0 : countUnderWay(draft.deployments.get(deployment)?.upgrade ?? null, role).goes
}

/** How many instances a role has, without those on their way out. */
function staying(draft: Draft, deployment: string, role: string): number {
  return stayingCount(draft.roles.get(roleKey(deployment, role)) ?? { instances: [] })
}

/** Accepts other instance counts. Beside a walk both of its ends have them: what a scale brings is not walked back. */
export function acceptScale(
  draft: Draft,
  command: ConfigureCommand,
  seen: Readonly<DeploymentRecord>,
  counts: readonly { name: string; instances: number }[],
): string {
  const before = operationsOn(draft, [seen.id]).filter(({ step }) => step === 'scaling')
  admit(draft, seen, 'scale')
  if (seen.state === 'suspending') refuse('not_running', `deployment ${seen.id} is suspending`)
  const operation = beginOperation(draft, {
    kind: 'scale',
    service: command.service,
    slot: command.slot,
    deployments: [seen.id],
    step: 'scaling',
    message: `scale ${seen.id}: ${counts.map(({ name, instances }) => `${name}=${instances}`).join(', ')}`,
  })
  // What took the place of another scale goes back to before both.
  for (const { kind, from, to } of before) {
    Object.assign(operation.from, kind === 'rollback' ? to : from)
    Object.assign(operation.to, to)
  }
  adoptConfiguration(draft, seen.id, command.configuration)
  refuseIfAny(shownConflicts(draft, command.service))
  const cores = coresInUse(draft)
  const needs = needsOf(draft)
  for (const { name, instances } of counts) {
    operation.from[name] ??= String(staying(draft, seen.id, name))
    operation.to[name] = String(instances)
    scaleRole(draft, seen, name, instances, 'starting')
  }
  refuseIfAny(quotaBlockers(draft, cores))
  refuseIfAny(roomBlockers(draft, needs))
  return operation.id
}

/** Out: the next indices start. In: the highest indices go, drained first. One on its way out that is wanted again stays. */
function scaleRole(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  name: string,
  wanted: number,
  stage: 'starting' | 'returning',
): void {
  const role = draft.roles.edit(roleKey(deployment.id, name))
  if (role === undefined) return
  const crowd = new Crowd(draft, role.instances)
  const byIndex = new Map(role.instances.map(instance => [instance.index, instance]))
  for (let index = 0; index < wanted; index++) {
    const there = byIndex.get(index)
    if (there === undefined) addInstance(draft, role, index, deployment.upgradeDomainCount, stage, crowd)
    else if (there.next === 'remove' && (there.spec !== role.target || !keepUp(draft, there))) {
      takeDown(draft, there, { kind: 'restart', spec: role.target })
    }
  }
  role.instances.sort((a, b) => a.index - b.index)
  for (const instance of role.instances) {
    if (instance.index >= wanted && instance.next !== 'remove') takeDown(draft, instance, { kind: 'remove' })
  }
}

/** The scale of a deployment that has not ended, or null. */
export function scaleUnderWay(draft: Draft, deployment: string): OperationRecord | null {
  return operationsOn(draft, [deployment]).find(({ kind, step }) => kind === 'scale' && step === 'scaling') ?? null
}

/** Gives back the counts from before a scale that has not ended. Answers the rollback's operation. */
export function undoScale(draft: Draft, scale: OperationRecord): string {
  const deployment = draft.deployments.get(scale.deployments[0] ?? '')
  if (deployment === undefined) refuse('rollback_not_allowed', 'the deployment is gone')
  endOperation(draft, scale.id, 'RolledBack', { code: 'cancelled', message: 'rolled back on request' })
  const operation = beginOperation(draft, {
    kind: 'rollback',
    service: scale.service,
    slot: scale.slot,
    deployments: [deployment.id],
    step: 'scaling',
    message: `rollback of scale ${scale.id} of ${deployment.id}`,
  })
  operation.from = { ...scale.to }
  operation.to = { ...scale.from }
  const roles = Object.entries(scale.from).map(([name, count]) => [name, { instances: Number(count) }] as const)
  adoptConfiguration(draft, deployment.id, { roles: Object.fromEntries(roles) })
  for (const [name, { instances }] of roles) scaleRole(draft, deployment, name, instances, 'returning')
  return operation.id
}

/** Moves a scale, or the rollback of one, as far as what is known allows. */
export function advanceScale(draft: Draft, operation: Readonly<OperationRecord>): void {
  const id = operation.deployments[0] ?? ''
  const scaled = Object.entries(operation.to).map(([name, count]) => ({
    there: draft.roles.get(roleKey(id, name))?.instances ?? [],
    from: Number(own(operation.from, name)),
    count: Number(count),
  }))
  // Only what this operation brings is its business: a scale must be able to remove what does not start.
  const added = scaled.flatMap(({ there, from }) => there.filter(instance => instance.index >= from))
  const counted = scaled.every(({ there, count }) => there.length === count)
  if (counted && added.every(isReady)) {
    enterStep(draft, operation.id, 'publishing')
    return
  }
  const hopeless = added.filter(instance => instance.hopeless && instance.next !== 'remove')
  if (hopeless.length === 0) return
  endOperation(draft, operation.id, 'Failed', {
    code: 'start_failed',
    message: `${hopeless.map(instance => instance.id).join(', ')} did not start; see \`vipswap logs ${hopeless[0]?.id ?? ''}\``,
  })
}
