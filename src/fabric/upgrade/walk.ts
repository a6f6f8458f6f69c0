import type { ErrorCode } from '../../core/errors.ts'
import { allAcknowledged, waivedFor } from '../acknowledgements.ts'
import { startAnchor } from '../anchor.ts'
import { own } from '../../core/own.ts'
import type { Draft } from '../draft.ts'
import { isReady, isTold, pruneSpecs, specOf } from '../instances.ts'
import { endOperation, enterStep } from '../operations.ts'
import { adoptDomains } from '../placement.ts'
import { roleKey, type DeploymentRecord, type InstanceRecord, type RoleRecord } from '../state.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { failUpgrade } from './failure.ts'
import { domainMayBegin, domainMayEnd, domainTrouble } from '../hooks/domain-gates.ts'
import type { Verdict } from './verdict.ts'
import { judge, judgeTime, waitsForWalk } from './gate.ts'
import { pauseClocks, resumeClocks } from './clocks.ts'
import { forgetTraffic } from '../verify/traffic.ts'
import { bindingOf, fitAddresses } from './addresses.ts'
import { isResized } from './changes.ts'
import { floorHolds } from './floor.ts'
import {
  beginPlanned,
  changesEndpoints,
  failedToScale,
  forgetRoles,
  isRevived,
  leaves,
  removeLeavers,
  scaleFirst,
} from './roles.ts'
import { beginRollback } from './rollback.ts'
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

/**
 * The ground before the first domain: the package on every node that will run it, new addresses bound, instances of a
 * larger count ready. If that fails nothing was stopped.
 */
function prepare(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  let ready = true
  for (const { package: digest, nodes } of packagesFor(draft, deployment.id, upgrade)) {
    for (const name of nodes) {
      const node = draft.observed.nodes[name]
      const failure = node?.packageErrors[digest]
      if (failure !== undefined) {
        return abandon(draft, deployment, upgrade, { code: 'invalid_package', message: `node ${name}: ${failure}` })
      }
      ready &&= node?.packages.includes(digest) === true
    }
  }
  if (changesEndpoints(draft, deployment.id, upgrade) || upgrade.inherited?.addresses === true) {
    const since = draft.operations.get(upgrade.operation)?.since ?? draft.revision
    const binding = bindingOf(draft, deployment, since)
    if (binding.error !== null) {
      const message = `${binding.error}; free it, or give the endpoint another port`
      return abandon(draft, deployment, upgrade, { code: 'port_in_use', message })
    }
    ready &&= binding.ready
  }
  if (!ready || !scaleFirst(draft, deployment.id, upgrade)) return false
  const failed = failedToScale(draft, deployment.id, upgrade)
  if (failed.length > 0) {
    beginRollback(draft, deployment, 'auto', `${failed.join(', ')} did not start on ${upgrade.from.version}`)
    return true
  }
  upgrade.phase = 'waiting'
  enterStep(draft, upgrade.operation, 'walking')
  if (waitsForWalk(upgrade)) endOperation(draft, upgrade.operation, 'Succeeded')
  return true
}

/** The packages that instances come to, and on which nodes. */
function* packagesFor(
  draft: Draft,
  deployment: string,
  upgrade: UpgradeRecord,
): Iterable<{ package: string; nodes: Set<string> }> {
  for (const role of draft.rolesOf(deployment)) {
    const to = own(upgrade.roles, role.name)?.to ?? (own(upgrade.counts, role.name) === undefined ? null : role.target)
    if (to === null || upgrade.removed.includes(role.name)) continue
    const staying = role.instances.filter(
      ({ node, ...instance }) => node !== '' && !leaves(upgrade, role.name, { node, ...instance }),
    )
    yield { package: specOf(role, to).package, nodes: new Set(staying.map(({ node }) => node)) }
  }
}

/** Is anything there that is not at the end a rollback leads to, or on its way from it, or missing? */
function mixed(draft: Draft, deployment: string, upgrade: UpgradeRecord): boolean {
  const back: UpgradeRecord = { ...upgrade, direction: 'back' }
  return draft.rolesOf(deployment).some(({ name, instances }) => {
    const [from, count] = [own(upgrade.roles, name)?.from, own(upgrade.counts, name)]
    if (instances.filter(({ next }) => next !== 'remove').length < (count?.from ?? 0)) return true
    return instances.some(instance => {
      if (instance.stage === 'planned') return false
      return leaves(back, name, instance) || (from !== undefined && mustMove(instance, from))
    })
  })
}

/** Ends a walk before anything of it was begun: all is as it was, or goes back to what last ran as a whole. */
function abandon(
  draft: Draft,
  deployment: DeploymentRecord,
  upgrade: UpgradeRecord,
  error: { code: ErrorCode; message: string },
): boolean {
  if (mixed(draft, deployment.id, upgrade)) {
    // The walk before it was given up for this one.
    endOperation(draft, upgrade.operation, 'Failed', error)
    beginRollback(draft, deployment, 'auto', error.message)
    return true
  }
  for (const [name, { from }] of Object.entries(upgrade.roles)) {
    const role = draft.roles.edit(roleKey(deployment.id, name))
    if (role !== undefined) role.target = from
  }
  const fits = !changesEndpoints(draft, deployment.id, upgrade) && upgrade.inherited?.addresses !== true
  const back: UpgradeRecord = { ...upgrade, direction: 'back' }
  removeLeavers(draft, deployment.id, back)
  forgetRoles(draft, deployment, back)
  deployment.upgrade = null
  for (const name of Object.keys(upgrade.roles)) pruneSpecs(draft, deployment.id, name)
  if (!fits) fitAddresses(draft, deployment)
  endOperation(draft, upgrade.operation, 'Failed', error)
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
        return isTold(draft, role, instance) && hasArrived(upgrade, instance, spec)
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
 * On its destination and either ready or known to be unable: the gate decides what the latter means. On the way back,
 * where there is no gate, what had not moved and ails by itself is not waited for.
 */
function hasArrived({ direction }: UpgradeRecord, instance: Readonly<InstanceRecord>, spec: string): boolean {
  if (instance.spec !== spec || instance.nextSpec !== null) return false
  // One that cannot start leaves what it took the place of standing.
  if (instance.stage === 'starting' && instance.hopeless) return true
  // Else that must be gone as well.
  return instance.beside === undefined && (isReady(instance) || (direction === 'back' && instance.stage === 'serving'))
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
      ({ upgradeDomain, stage, hopeless }) => domains.includes(upgradeDomain) && stage === 'starting' && hopeless,
    ),
  )
  if (failed.length === 0) return false
  const ids = failed.map(({ id }) => id).join(', ')
  const error = {
    code: 'start_failed',
    message: `${ids} did not start on ${upgrade.from.version} (\`vipswap logs ${failed[0]?.id ?? ''}\`); what serves keeps serving: a fresh \`vipswap upgrade\` to ${upgrade.to.version}, or to another version that starts, mends it, or \`vipswap rollback\` again once ${upgrade.from.version} can start`,
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
