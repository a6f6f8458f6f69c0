import { isForced } from '../acknowledgements.ts'
import { mayGo } from '../capacity.ts'
import type { Draft } from '../draft.ts'
import type { DeploymentRecord, RoleRecord, UpgradeRecord } from '../state.ts'
import { own } from '../../core/own.ts'

/**
 * Why the next domains may not go down yet, or null. On the way back nothing is asked: what is broken must come home.
 * Modes that ask for no health keep only the floors that roles set themselves, and `simultaneous` none.
 */
export function floorReason(
  upgrade: Readonly<UpgradeRecord>,
  roles: readonly Readonly<RoleRecord>[],
  domains: readonly number[],
): string | null {
  if (upgrade.direction === 'back' || upgrade.mode === 'simultaneous') return null
  return mayGo(
    roles,
    (instance, role) => {
      const to = own(upgrade.roles, role.name)?.to
      if (to === undefined || !domains.includes(instance.upgradeDomain)) return null
      return instance.spec === to || instance.nextSpec === to ? null : to
    },
    !upgrade.mode.startsWith('unmonitored'),
  )
}

/** May the walk take these domains down now? Says once that it waits; `force` goes on all the same. */
export function floorHolds(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  upgrade: UpgradeRecord,
  domains: readonly number[],
): boolean {
  const reason = floorReason(upgrade, draft.rolesOf(deployment.id), domains)
  const waits = reason !== null && !isForced(draft, deployment.id)
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
