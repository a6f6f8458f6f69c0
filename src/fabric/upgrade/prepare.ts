import type { ErrorCode } from '../../core/errors.ts'
import { own } from '../../core/own.ts'
import type { Draft } from '../draft.ts'
import { pruneSpecs, specOf } from '../instances.ts'
import { stayingCount } from '../lookup.ts'
import { endOperation, enterStep } from '../operations.ts'
import { adoptDomains } from '../placement.ts'
import type { DeploymentRecord } from '../state.ts'
import { roleKey } from '../keys.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { bindingOf, fitAddresses } from './addresses.ts'
import { waitsForWalk } from './gate.ts'
import { changesEndpoints, failedToScale, forgetRoles, leaves, removeLeavers, scaleFirst } from './roles.ts'
import { beginRollback, isOnItsWay } from './rollback.ts'
import { downBecauseOf, mustMove } from './supersede.ts'

/**
 * The ground before the first domain: the package on every node that will run it, new addresses bound, instances of a
 * larger count ready. If that fails nothing was stopped.
 */
export function prepare(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): boolean {
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

/** Is anything there that is not at the end a rollback leads to, or not there yet, or missing? */
function mixed(draft: Draft, deployment: string, upgrade: UpgradeRecord): boolean {
  const back: UpgradeRecord = { ...upgrade, direction: 'back' }
  const inFlight = downBecauseOf(upgrade)
  return draft.rolesOf(deployment).some(({ name, instances }) => {
    const [from, count] = [own(upgrade.roles, name)?.from, own(upgrade.counts, name)]
    if (stayingCount({ instances }) < (count?.from ?? 0)) return true
    return instances.some(instance => {
      if (instance.stage === 'planned') return false
      if (leaves(back, name, instance)) return true
      if (from === undefined || instance.next === 'remove') return false
      if (instance.spec !== from || mustMove(instance, from)) return true
      return inFlight.includes(instance.upgradeDomain) && isOnItsWay(instance)
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
  adoptDomains(draft, deployment)
  for (const name of Object.keys(upgrade.roles)) pruneSpecs(draft, deployment.id, name)
  if (!fits) fitAddresses(draft, deployment)
  endOperation(draft, upgrade.operation, 'Failed', error)
  return true
}
