import { startAnchor } from '../anchor.ts'
import { own } from '../../core/own.ts'
import type { Draft } from '../draft.ts'
import { isReady, isTold, pruneSpecs, specOf } from '../instances.ts'
import { endOperation, enterStep } from '../operations.ts'
import { roleKey, type DeploymentRecord, type InstanceRecord, type RoleRecord, type UpgradeRecord } from '../state.ts'
import { judge, waitsForWalk } from './gate.ts'
import { beginRollback, fallBack } from './rollback.ts'
import { isStraggler, mustMove, sendTo, takesStragglers } from './supersede.ts'

/** Moves a deployment's upgrade or rollback as far as what is known allows. */
export function advanceUpgrade(draft: Draft, id: string): void {
  const seen = draft.deployments.get(id)
  // Suspended in the middle of it: the walk goes on once it runs again.
  if (seen?.upgrade == null || seen.state !== 'running') return
  const deployment = draft.deployments.edit(id)
  if (deployment === undefined) return
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
  if (upgrade.phase === 'walking' || upgrade.phase === 'verifying') upgrade.phase = 'waiting'
}

/** One phase forward; false when something must be waited for. */
function step(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  switch (upgrade.phase) {
    case 'preparing':
      return prepare(draft, deployment, upgrade)
    case 'waiting':
      if (upgrade.position >= upgrade.domains.length) {
        complete(draft, deployment, upgrade)
        return true
      }
      if (upgrade.walk === null && waitsForWalk(upgrade.mode, upgrade.position)) return false
      beginDomain(draft, deployment, upgrade)
      return true
    case 'walking':
      return finishWalking(draft, deployment, upgrade)
    case 'verifying':
      return verify(draft, deployment, upgrade)
    case 'halted':
      return false
  }
}

/** The ground before the first domain: the package on every node that will run it. If that fails nothing was stopped. */
function prepare(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  let ready = true
  for (const { role, instances } of affected(draft, deployment.id, upgrade)) {
    const { package: digest } = specOf(role, own(upgrade.roles, role.name)?.to ?? role.target)
    for (const name of new Set(instances.map(instance => instance.node))) {
      if (name === '') continue
      const node = draft.observed.nodes[name]
      const failure = node?.packageErrors[digest]
      if (failure !== undefined) {
        const superseding = upgrade.inFlight !== undefined && mixed(draft, deployment.id, upgrade)
        if (!superseding) undo(draft, deployment, upgrade)
        endOperation(draft, upgrade.operation, 'Failed', {
          code: 'invalid_package',
          message: `node ${name}: ${failure}`,
        })
        // The walk before it was given up for this one: back to what last ran as a whole.
        if (superseding) beginRollback(draft, deployment, 'auto', failure)
        return true
      }
      ready &&= node?.packages.includes(digest) === true
    }
  }
  if (!ready) return false
  upgrade.phase = 'waiting'
  enterStep(draft, upgrade.operation, 'walking')
  if (waitsForWalk(upgrade.mode, 0)) endOperation(draft, upgrade.operation, 'Succeeded')
  return true
}

/** Is some instance off the spec that a rollback leads to, or on its way off it? */
function mixed(draft: Draft, deployment: string, upgrade: UpgradeRecord): boolean {
  return Object.entries(upgrade.roles).some(([name, { from }]) =>
    (draft.roles.get(roleKey(deployment, name))?.instances ?? []).some(instance => mustMove(instance, from)),
  )
}

function undo(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): void {
  for (const [name, { from }] of Object.entries(upgrade.roles)) {
    const role = draft.roles.edit(roleKey(deployment.id, name))
    if (role !== undefined) role.target = from
    pruneSpecs(draft, deployment.id, name)
  }
  deployment.upgrade = null
}

/** The domains that go down together at the current position. */
function domainsAt(upgrade: UpgradeRecord): readonly number[] {
  if (upgrade.mode === 'simultaneous') return upgrade.domains.slice(upgrade.position)
  const domain = upgrade.domains[upgrade.position]
  return domain === undefined ? [] : [domain]
}

/** Starts the current domain: all its instances that are not yet where they belong begin their way down together. */
function beginDomain(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): void {
  const domains = domainsAt(upgrade)
  upgrade.phase = 'walking'
  upgrade.clocks = { ...upgrade.clocks, domain: startAnchor(draft.now), wait: null, stable: null, retry: null }
  const stragglers = takesStragglers(upgrade)
  let count = 0
  for (const [name, { from, to }] of Object.entries(upgrade.roles)) {
    const spec = upgrade.direction === 'forward' ? to : from
    const role = draft.roles.edit(roleKey(deployment.id, name))
    if (role === undefined) continue
    for (const instance of role.instances) {
      if (!mustMove(instance, spec)) continue
      const together =
        domains.includes(instance.upgradeDomain) || (stragglers && isStraggler(draft, deployment.id, instance))
      if (together && sendTo(draft, role, instance, spec)) count += 1
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
      },
    )
  }
}

function finishWalking(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  const domains = domainsAt(upgrade)
  const arrived = affected(draft, deployment.id, upgrade).every(({ role, spec }) =>
    role.instances.every(instance => {
      if (instance.next === 'remove') return true
      if (domains.includes(instance.upgradeDomain))
        return isTold(draft, role, instance) && hasArrived(upgrade, instance, spec)
      // What went along with the first domain is waited for with it.
      return !takesStragglers(upgrade) || instance.nextSpec !== spec
    }),
  )
  if (arrived) upgrade.phase = 'verifying'
  return arrived
}

/**
 * On its destination and either ready or known to be unable: the gate decides what the latter means. On the way back,
 * where there is no gate, what had not moved and ails by itself is not waited for.
 */
function hasArrived({ direction }: UpgradeRecord, instance: Readonly<InstanceRecord>, spec: string): boolean {
  if (instance.spec !== spec || instance.nextSpec !== null) return false
  if (isReady(instance) || (instance.stage === 'starting' && instance.hopeless)) return true
  return direction === 'back' && instance.stage === 'serving'
}

/**
 * A rollback that cannot start an old instance goes no further: what serves keeps serving. It stays half-way until a
 * fresh upgrade, or the rollback asked for again, takes it on.
 */
function halts(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
  if (upgrade.direction === 'forward') return false
  const domains = domainsAt(upgrade)
  const failed = affected(draft, deployment.id, upgrade).flatMap(({ instances }) =>
    instances.filter(
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
  const verdict = judge(draft, upgrade, draft.rolesOf(deployment.id))
  if (verdict.kind === 'wait') return false
  if (verdict.kind === 'fail') {
    draft.event('upgrade-unhealthy', verdict.reason, { service: deployment.service, deployment: deployment.id })
    fallBack(draft, deployment, verdict.reason)
    return true
  }
  for (const domain of domainsAt(upgrade)) {
    const record = upgrade.walked.findLast(walked => walked.domain === domain)
    if (record !== undefined) record.endedAt = draft.now.wall
    draft.event('domain-ended', `domain ${domain} is done`, {
      service: deployment.service,
      deployment: deployment.id,
      operation: upgrade.operation,
    })
  }
  upgrade.position = upgrade.mode === 'simultaneous' ? upgrade.domains.length : upgrade.position + 1
  if (upgrade.walk !== null) {
    writeDomains(draft, upgrade.walk, upgrade)
    endOperation(draft, upgrade.walk, 'Succeeded')
    upgrade.walk = null
  }
  if (upgrade.position >= upgrade.domains.length) complete(draft, deployment, upgrade)
  else upgrade.phase = 'waiting'
  return true
}

function complete(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): void {
  const forward = upgrade.direction === 'forward'
  const end = forward ? upgrade.to : upgrade.from
  Object.assign(deployment, {
    package: end.package,
    version: end.version,
    label: end.label,
    configuration: end.configuration,
    breaksData: end.breaksData,
    upgrade: null,
  })
  for (const name of Object.keys(upgrade.roles)) pruneSpecs(draft, deployment.id, name)
  writeDomains(draft, upgrade.operation, upgrade)
  endOperation(draft, upgrade.operation, 'Succeeded')
  draft.event(forward ? 'upgrade-completed' : 'rollback-completed', `${deployment.id} runs ${end.version}`, {
    service: deployment.service,
    deployment: deployment.id,
    operation: upgrade.operation,
  })
}

function writeDomains(draft: Draft, operation: string, upgrade: UpgradeRecord): void {
  const record = draft.operations.edit(operation)
  if (record === undefined || record.status !== 'InProgress') return
  const domains = record.kind === 'walk' ? upgrade.walked.slice(-1) : upgrade.walked
  record.receipt = { complete: false, note: null, traffic: [], switchMs: null, domains: structuredClone(domains) }
}

/** The roles a walk touches, and where their instances are to arrive. */
function affected(
  draft: Draft,
  deployment: string,
  upgrade: UpgradeRecord,
): { role: Readonly<RoleRecord>; spec: string; instances: readonly Readonly<InstanceRecord>[] }[] {
  return Object.entries(upgrade.roles).flatMap(([name, { from, to }]) => {
    const role = draft.roles.get(roleKey(deployment, name))
    return role === undefined
      ? []
      : [{ role, spec: upgrade.direction === 'forward' ? to : from, instances: role.instances }]
  })
}
