import type { ErrorCode } from '../core/errors.ts'
import { RUNNING, type Running, type Verb } from './concurrency.ts'
import type { Draft } from './draft.ts'
import { endOperation, operationsOn } from './operations.ts'
import { refuse } from './refusal.ts'
import type { DeploymentRecord, ServiceRecord } from './state.ts'
import type { OperationRecord } from './operation-record.ts'
import { describeWalk, waitsForWalk } from './upgrade/gate.ts'

/** One thing a deployment is in the middle of. `operation` null: no operation holds it (a manual walk, a suspended one). */
interface Doing {
  readonly running: Running
  readonly operation: Readonly<OperationRecord> | null
}

/** Everything a deployment is in the middle of, what holds it the most first. */
function runningOn(draft: Draft, deployment: Readonly<DeploymentRecord>): Doing[] {
  const service = draft.services.get(deployment.service)
  const doing: Doing[] = []
  if (service?.prepared) doing.push({ running: 'prepared', operation: null })
  for (const operation of operationsOn(draft, [deployment.id])) {
    const running = ofOperation(deployment, operation)
    if (running !== null) doing.push({ running, operation })
  }
  if (doing.some(({ running }) => running === 'suspending')) return doing
  if (deployment.upgrade !== null) doing.push({ running: ofWalk(deployment), operation: null })
  else if (deployment.state === 'suspended') doing.push({ running: 'suspended', operation: null })
  if (otherWalk(draft, service, deployment.id) !== null) doing.push({ running: 'otherWalk', operation: null })
  return doing
}

function ofOperation(deployment: Readonly<DeploymentRecord>, operation: Readonly<OperationRecord>): Running | null {
  const { upgrade } = deployment
  if (upgrade !== null && (upgrade.operation === operation.id || upgrade.walk === operation.id)) return null
  switch (operation.kind) {
    case 'create':
      if (operation.replaces === deployment.id) return 'deleting'
      return operation.step === 'starting' || operation.step === 'publishing' ? 'starting' : 'creating'
    case 'delete':
      return 'deleting'
    case 'swap':
      return 'swapping'
    case 'configure':
      return 'certificates'
    case 'scale':
      return 'scaling'
    case 'rollback':
      return 'unscaling'
    case 'suspend':
      return 'suspending'
    case 'start':
      return upgrade === null ? 'resuming' : 'resumingWalk'
    case 'reboot':
    case 'reimage':
      return 'rebooting'
    case 'upgrade':
    case 'walk':
    case 'drain':
    case 'undrain':
    case 'pause':
    case 'resume':
      return null
  }
}

function ofWalk({ state, upgrade }: Readonly<DeploymentRecord>): Running {
  if (state === 'suspended' || state === 'suspending') return 'paused'
  if (upgrade === null) return 'walking'
  if (upgrade.phase === 'halted') return 'rollbackHalted'
  const waits = upgrade.phase === 'waiting' && upgrade.walk === null && waitsForWalk(upgrade)
  if (upgrade.direction === 'back') return waits ? 'rollbackWaiting' : 'rollingBack'
  return waits ? 'waiting' : 'walking'
}

/** The deployment in the other slot of the service while it walks: one walk per service, over both slots. */
function otherWalk(draft: Draft, service: Readonly<ServiceRecord> | undefined, id: string): string | null {
  const others = Object.values(service?.slots ?? {}).filter(other => other !== null && other !== id)
  return others.find(other => draft.deployments.get(other ?? '')?.upgrade) ?? null
}

/**
 * Lets a request at a deployment, by the table of concurrency.ts: refuses with what is in the way, or ends the operations
 * it supersedes. Walks are left to the caller: it knows where they go on to. `instance`: reboots of others do not count.
 */
export function admit(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  verb: Verb,
  instance: string | null = null,
): void {
  const doing = runningOn(draft, deployment).filter(
    ({ running, operation }) => running !== 'rebooting' || instance === null || operation?.instance === instance,
  )
  for (const one of doing) {
    const outcome = RUNNING[one.running].asked[verb]
    if (outcome === 'accepted' || outcome === 'supersedes' || outcome === 'pauses') continue
    refuse(outcome, why(draft, deployment, one, outcome))
  }
  for (const { running, operation } of doing) {
    if (RUNNING[running].asked[verb] !== 'supersedes' || operation === null) continue
    endOperation(draft, operation.id, 'Cancelled', { code: 'superseded', message: `\`${verb}\` took its place` })
  }
}

function why(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  { running, operation }: Doing,
  code: ErrorCode,
): string {
  if (running === 'prepared') return 'a swap is prepared: commit or cancel it first (`vipswap swap commit|cancel`)'
  if (running === 'otherWalk') {
    const other = otherWalk(draft, draft.services.get(deployment.service), deployment.id)
    return `deployment ${other ?? '?'} of the same service is being upgraded: one walk at a time; finish it or \`vipswap rollback\` it first`
  }
  if (code === 'nothing_to_do') return `deployment ${deployment.id} is ${deployment.state} already`
  if (code === 'not_running') return `deployment ${deployment.id} is ${deployment.state}: \`vipswap start\` it first`
  if (deployment.upgrade !== null && operation === null) return describeWalk(deployment.upgrade)
  const where = operation === null ? deployment.service : `${operation.service}/${operation.slot ?? 'both slots'}`
  return `${operation?.kind ?? running} ${operation?.id ?? ''} is in progress on ${where}: it ends by itself soon (\`vipswap operations\`)`
}

/** What locks a deployment: while it runs hardly anything is taken (Cloud Services, "Locked"); null most of the time. */
export function lockedBy(draft: Draft, deployment: Readonly<DeploymentRecord>): string | null {
  const lock = runningOn(draft, deployment).find(({ running }) => RUNNING[running].locks)
  return lock?.operation?.id ?? null
}
