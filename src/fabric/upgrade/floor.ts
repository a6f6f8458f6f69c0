import { waivedFor } from '../acknowledgements.ts'
import { mayGo } from '../capacity.ts'
import type { Draft } from '../draft.ts'
import { comesBeside } from '../beside.ts'
import type { UpgradePolicy } from '../../model/upgrade-policy.ts'
import type { DeploymentRecord, InstanceRecord, RoleRecord } from '../state.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { own } from '../../core/own.ts'
import { leaves } from './roles.ts'
import { isReady } from '../seen.ts'

/**
 * Why the next domains may not go down yet, or null. On the way back nothing is asked: what is broken must come home.
 * Modes that ask for no health, and a `minReadyPercent` of 0, keep only the floors that roles set themselves, and
 * `simultaneous` none.
 */
export function floorReason(
  upgrade: Readonly<UpgradeRecord>,
  policy: Pick<UpgradePolicy, 'minReadyPercent'>,
  roles: readonly Readonly<RoleRecord>[],
  domains: readonly number[],
): string | null {
  if (upgrade.direction === 'back' || upgrade.mode === 'simultaneous') return null
  // Asked to begin at once, although another domain may be down; and where nothing serves there is nothing to keep.
  const overlaps = upgrade.overlap === true && upgrade.position === 0
  const instances = roles.flatMap(role => role.instances)
  const busy =
    overlaps || !instances.some(isReady)
      ? undefined
      : instances.find(instance => !domains.includes(instance.upgradeDomain) && isUnderWay(instance))
  if (busy !== undefined) return `${busy.id} of domain ${busy.upgradeDomain} is being restarted`
  return mayGo(
    roles,
    (instance, role) => {
      const to = own(upgrade.roles, role.name)?.to
      // What leaves stays up until all domains are done.
      if (to === undefined || !domains.includes(instance.upgradeDomain) || leaves(upgrade, role.name, instance))
        return null
      return instance.spec === to || instance.nextSpec === to ? null : to
    },
    !upgrade.mode.startsWith('unmonitored') && (upgrade.mode === 'monitored' || policy.minReadyPercent > 0),
  )
}

/** Planned work restarts it just now: another domain down with it would be one too many. */
export function isUnderWay({ next, stage, hopeless }: Readonly<InstanceRecord>): boolean {
  return next === 'restart' || (stage === 'starting' && !hopeless)
}

/** What plan and receipt say of a walk over one upgrade domain (Cloud Services allows the count, and then promises nothing). */
export function oneDomainNote(
  deployment: Readonly<DeploymentRecord>,
  roles: readonly Readonly<RoleRecord>[],
  upgrade: Readonly<UpgradeRecord>,
): string | null {
  if (deployment.upgradeDomainCount > 1 || upgrade.domains.length > 1) return null
  const down = roles.filter(role => {
    const change = own(upgrade.roles, role.name)
    const to = upgrade.direction === 'forward' ? change?.to : change?.from
    return to !== undefined && role.instances.some(instance => !comesBeside(role, instance, to))
  })
  if (down.length === 0) return null
  return `one upgrade domain: all instances of ${down.map(({ name }) => name).join(', ')} go down together, which is not rolling and comes with no guarantee`
}

/** May the walk take these domains down now? Says once that it waits; `force` goes on all the same. */
export function floorHolds(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  upgrade: UpgradeRecord,
  domains: readonly number[],
): boolean {
  const reason = floorReason(upgrade, deployment.policy, draft.rolesOf(deployment.id), domains)
  const waits = reason !== null && waivedFor(draft, deployment.id) === null
  if (waits && upgrade.belowFloor !== true) {
    draft.event('upgrade-waiting', `domain ${domains.join(', ')} does not go down: ${reason}`, {
      service: deployment.service,
      deployment: deployment.id,
      operation: upgrade.walk ?? upgrade.operation,
    })
  }
  upgrade.belowFloor = waits ? true : undefined
  return !waits
}
