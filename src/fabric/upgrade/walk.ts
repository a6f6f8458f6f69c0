import { allAcknowledged, waivedFor } from '../acknowledgements.ts'
import { startAnchor } from '../anchor.ts'
import { own } from '../../core/own.ts'
import type { Draft } from '../draft.ts'
import { pruneSpecs } from '../instances.ts'
import { failedToCome, isHeardOf, isReady, isSeenReady, isTold } from '../seen.ts'
import { endOperation } from '../operations.ts'
import { adoptDomains } from '../placement.ts'
import type { DeploymentRecord, InstanceRecord, RoleRecord } from '../state.ts'
import { roleKey } from '../keys.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { failUpgrade } from './failure.ts'
import { domainMayBegin, domainMayEnd, domainTrouble } from '../hooks/domain-gates.ts'
import type { Verdict } from './verdict.ts'
import { judge, judgeTime, waitsForWalk } from './gate.ts'
import { pauseClocks, resumeClocks } from './clocks.ts'
import { forgetTraffic } from '../verify/traffic.ts'
import { fitAddresses } from './addresses.ts'
import { isResized } from './changes.ts'
import { floorHolds } from './floor.ts'
import { beginPlanned, changesEndpoints, forgetRoles, isRevived, leaves, removeLeavers } from './roles.ts'
import { prepare } from './prepare.ts'
import { writeDomains } from './walked.ts'
import { isComposed, isStraggler, mustMove, sendTo, takesStragglers } from './supersede.ts'

/** Moves a deployment's upgrade or rollback as far as what is known allows. */
export function advanceUpgrade(draft: Draft, id: string): void {
  const seen = draft.deployments.get(id)
  // Suspended in the middle of it: the walk goes on once it runs again.
  if (seen?.upgrade == null || seen.state !== 'running') return
  const deployment = draft.deployments.edit(id)
  if (deployment === undefined) return
  if (deployment.upgrade !== null) resumeClocks(deployment.upgrade, draft.now)
  // Each turn moves at most one phase; a domain has at most four.
  for (let turn = 0; turn < 100; turn++) {
    const upgrade = deployment.upgrade
    if (upgrade === null || !step(draft, deployment, upgrade)) return
  }
}

/** A walk whose deployment is suspended waits; once it runs again the domain in flight is walked afresh. */
export function pauseWalk(draft: Draft, { upgrade }: DeploymentRecord): void {
  if (upgrade === null) return
  if (upgrade.walk !== null) {
    endOperation(draft, upgrade.walk, 'Cancelled', { code: 'superseded', message: 'the deployment is being suspended' })
    upgrade.walk = null
  }
  pauseClocks(upgrade, draft.now)
  // Of what is suspended it would say what everyone knows.
  forgetTraffic(draft, upgrade.operation)
  if (upgrade.phase !== 'walking' && upgrade.phase !== 'verifying') return
  upgrade.phase = 'waiting'
  upgrade.stuck = []
}

/** One phase forward; false when something must be waited for. */
function step(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  for (const verdict of [judgeTime(draft, deployment, upgrade), domainTrouble(draft, deployment, upgrade)])
    if (verdict.kind === 'fail') return failed(draft, deployment, upgrade, verdict)
  switch (upgrade.phase) {
    case 'preparing':
      return prepare(draft, deployment, upgrade)
    case 'waiting':
      if (upgrade.position >= upgrade.domains.length) {
        return enterRemoving(draft, deployment, upgrade)
      }
      if (upgrade.walk === null && waitsForWalk(upgrade)) return false
      if (!floorHolds(draft, deployment, upgrade, domainsAt(upgrade))) return false
      return open(draft, deployment, upgrade)
    case 'walking':
      return finishWalking(draft, deployment, upgrade)
    case 'verifying':
      return verify(draft, deployment, upgrade)
    case 'removing':
      if (
        upgrade.closing !== null &&
        !allAcknowledged(draft, upgrade.closing, waivedFor(draft, deployment.id) ?? undefined)
      )
        return false
      if (!removeLeavers(draft, deployment.id, upgrade)) return false
      complete(draft, deployment, upgrade)
      return true
    case 'halted':
      return false
  }
}

function failed(
  draft: Draft,
  deployment: DeploymentRecord,
  upgrade: UpgradeRecord,
  { reason, message }: Extract<Verdict, { kind: 'fail' }>,
): true {
  failUpgrade(draft, deployment, upgrade, reason, message)
  return true
}

/** The next domain goes down, once what is outside lets it. */
function open(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  const begin = domainMayBegin(draft, deployment, upgrade)
  if (begin.kind === 'fail') return failed(draft, deployment, upgrade, begin)
  if (begin.kind === 'go') beginDomain(draft, deployment, upgrade)
  return begin.kind === 'go'
}

/** All domains are done: first no address leads to what the end does not have, then that is taken down. */
function enterRemoving(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  if (!isRevived(draft, deployment.id, upgrade)) return false
  upgrade.phase = 'removing'
  if (changesEndpoints(draft, deployment.id, upgrade)) {
    fitAddresses(draft, deployment)
    upgrade.closing = draft.revision
  }
  return true
}

/** The domains that go down together at the current position. */
export function domainsAt(upgrade: UpgradeRecord): readonly number[] {
  if (upgrade.mode === 'simultaneous') return upgrade.domains.slice(upgrade.position)
  const domain = upgrade.domains[upgrade.position]
  return domain === undefined ? [] : [domain]
}

/** Starts the current domain: all its instances that are not yet where they belong begin their way down together. */
function beginDomain(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): void {
  const domains = domainsAt(upgrade)
  upgrade.phase = 'walking'
  upgrade.clocks = { ...upgrade.clocks, domain: startAnchor(draft.now), health: null }
  const stragglers = takesStragglers(upgrade)
  let count = upgrade.direction === 'forward' ? beginPlanned(draft, deployment.id, upgrade, domains) : 0
  for (const [name, { from, to }] of Object.entries(upgrade.roles)) {
    const spec = upgrade.direction === 'forward' ? to : from
    const role = draft.roles.edit(roleKey(deployment.id, name))
    if (role === undefined) continue
    const emptied = isResized(role, { from, to })
    for (const instance of role.instances) {
      if (leaves(upgrade, name, instance) || !mustMove(instance, spec)) continue
      const together =
        domains.includes(instance.upgradeDomain) || (stragglers && isStraggler(draft, deployment.id, instance))
      if (together && sendTo(draft, role, instance, spec, emptied)) count += 1
    }
  }
  for (const domain of domains) {
    // Already on its way, under the mode before this one.
    if (upgrade.walked.some(walked => walked.domain === domain && walked.endedAt === null)) continue
    upgrade.walked.push({ domain, startedAt: draft.now.wall, endedAt: null, instances: count })
    draft.event(
      'domain-started',
      `${upgrade.direction === 'forward' ? 'upgrade' : 'rollback'}: domain ${domain} goes down`,
      {
        service: deployment.service,
        deployment: deployment.id,
        operation: upgrade.operation,
        domain,
      },
    )
  }
}

function finishWalking(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  const domains = domainsAt(upgrade)
  const arrived = affected(draft, deployment.id, upgrade).every(({ role, spec }) =>
    role.instances.every(instance => {
      if (instance.next === 'remove' || leaves(upgrade, role.name, instance)) return true
      if (domains.includes(instance.upgradeDomain))
        return isTold(draft, role, instance) && hasArrived(draft, upgrade, role, instance, spec)
      // What went along with the first domain is waited for with it.
      return !takesStragglers(upgrade) || instance.nextSpec !== spec
    }),
  )
  if (!arrived) return false
  upgrade.phase = 'verifying'
  for (const walked of upgrade.walked)
    if (domains.includes(walked.domain) && walked.endedAt === null) walked.arrivedAt = draft.now.wall
  return true
}

/**
 * On its destination and ready, known to be unable, or ready once and sick now: the gate decides what the latter two mean,
 * also for one that comes and goes. What it took the place of must be gone, or stays because nothing else serves.
 */
function hasArrived(
  draft: Draft,
  { direction }: UpgradeRecord,
  { deployment }: Readonly<RoleRecord>,
  instance: Readonly<InstanceRecord>,
  spec: string,
): boolean {
  if (instance.spec !== spec || instance.nextSpec !== null) return false
  if (instance.stage === 'starting') return instance.hopeless
  if (instance.stage !== 'serving') return false
  if (isReady(instance)) return instance.beside === undefined
  // On the way back, where there is no gate, what ails by itself is not waited for.
  if (direction === 'back') return instance.beside === undefined || failedToCome(draft, deployment, instance)
  // About to be in the table again, or not asked yet by this controller.
  if (isSeenReady(draft, deployment, instance) || !isHeardOf(draft, deployment, instance)) return false
  return instance.beside === undefined || instance.beside.next === null
}

/**
 * A rollback that cannot start an old instance goes no further: what serves keeps serving. It stays half-way until a
 * fresh upgrade, or the rollback asked for again, takes it on.
 */
function halts(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  if (upgrade.direction === 'forward') return false
  const domains = domainsAt(upgrade)
  const failed = affected(draft, deployment.id, upgrade).flatMap(({ role }) =>
    role.instances.filter(
      instance => domains.includes(instance.upgradeDomain) && failedToCome(draft, deployment.id, instance),
    ),
  )
  if (failed.length === 0) return false
  const ids = failed.map(({ id }) => id).join(', ')
  const error = {
    code: 'start_failed',
    message: `${ids} did not become ready on ${upgrade.from.version} (\`vipswap logs ${failed[0]?.id ?? ''}\`); what serves keeps serving: a fresh \`vipswap upgrade\` to ${upgrade.to.version}, or to another version that starts, mends it, or \`vipswap rollback\` again once ${upgrade.from.version} can start`,
  } as const
  for (const operation of [upgrade.walk, upgrade.operation]) {
    if (operation === null) continue
    writeDomains(draft, operation, upgrade)
    endOperation(draft, operation, 'Failed', error)
  }
  draft.event('rollback-halted', error.message, { service: deployment.service, deployment: deployment.id })
  upgrade.walk = null
  upgrade.phase = 'halted'
  return true
}

function verify(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  if (halts(draft, deployment, upgrade)) return false
  const verdict = judge(draft, deployment, upgrade)
  if (verdict.kind === 'wait') return false
  if (verdict.kind === 'fail') return failed(draft, deployment, upgrade, verdict)
  const end = domainMayEnd(draft, deployment, upgrade)
  if (end.kind === 'fail') return failed(draft, deployment, upgrade, end)
  if (end.kind === 'wait') return false
  upgrade.clocks = { ...upgrade.clocks, domain: null, health: null }
  upgrade.stuck = []
  if (upgrade.mode === 'monitored') upgrade.verified.push(...domainsAt(upgrade))
  for (const domain of domainsAt(upgrade)) {
    const record = upgrade.walked.findLast(walked => walked.domain === domain)
    if (record !== undefined) record.endedAt = draft.now.wall
    draft.event('domain-ended', `domain ${domain} is done`, {
      service: deployment.service,
      deployment: deployment.id,
      operation: upgrade.operation,
      domain,
    })
  }
  upgrade.position = upgrade.mode === 'simultaneous' ? upgrade.domains.length : upgrade.position + 1
  // The walk of the last domain also takes down what the end does not have.
  if (upgrade.position < upgrade.domains.length) endWalk(draft, upgrade)
  upgrade.phase = 'waiting'
  return true
}

function endWalk(draft: Draft, upgrade: UpgradeRecord): void {
  if (upgrade.walk === null) return
  writeDomains(draft, upgrade.walk, upgrade)
  endOperation(draft, upgrade.walk, 'Succeeded')
  upgrade.walk = null
}

function complete(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): void {
  const forward = upgrade.direction === 'forward'
  const end = forward ? upgrade.to : upgrade.from
  endWalk(draft, upgrade)
  forgetRoles(draft, deployment, upgrade)
  Object.assign(deployment, {
    package: end.package,
    version: end.version,
    label: end.label,
    configuration: end.configuration,
    breaksData: end.breaksData,
    upgrade: null,
  })
  adoptDomains(draft, deployment)
  const hopeless = draft.rolesOf(deployment.id).flatMap(role => role.instances.filter(instance => instance.hopeless))
  for (const name of Object.keys(upgrade.roles)) pruneSpecs(draft, deployment.id, name)
  writeDomains(draft, upgrade.operation, upgrade)
  if (!forward && isComposed(upgrade) && hopeless.length > 0) {
    endOperation(draft, upgrade.operation, 'Failed', {
      code: 'start_failed',
      message: `${hopeless.map(instance => instance.id).join(', ')} did not start on ${end.version}: a fresh \`vipswap upgrade\` to a version that starts mends it`,
    })
  } else {
    endOperation(draft, upgrade.operation, 'Succeeded')
  }
  draft.event(forward ? 'upgrade-completed' : 'rollback-completed', `${deployment.id} runs ${end.version}`, {
    service: deployment.service,
    deployment: deployment.id,
    operation: upgrade.operation,
  })
}

/** The roles a walk touches, and where their instances are to arrive; added ones only on the way forward. */
function affected(
  draft: Draft,
  deployment: string,
  upgrade: UpgradeRecord,
): { role: Readonly<RoleRecord>; spec: string }[] {
  return draft.rolesOf(deployment).flatMap(role => {
    const change = own(upgrade.roles, role.name)
    if (change !== undefined) return [{ role, spec: upgrade.direction === 'forward' ? change.to : change.from }]
    return upgrade.direction === 'forward' && upgrade.added.includes(role.name) ? [{ role, spec: role.target }] : []
  })
}
