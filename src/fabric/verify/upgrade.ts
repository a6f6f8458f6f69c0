import { own } from '../../core/own.ts'
import type { RoleDefinition } from '../../model/definition.ts'
import type { Draft } from '../draft.ts'
import { specOf } from '../instances.ts'
import { slotOf } from '../lookup.ts'
import type { DeploymentRecord } from '../state.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import type { Verdict } from '../upgrade/verdict.ts'
import { targetsOf } from './targets.ts'
import { lossOf, noteTraffic, trafficOf } from './traffic.ts'

/** Has the probe traffic of a walk had enough at this domain? `before` is asked of the first one only. */
export function verifyDomain(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  upgrade: UpgradeRecord,
  when: 'before' | 'after',
): Verdict {
  const service = draft.services.get(deployment.service)
  // A loss that could not be undone is its operator's business.
  if (upgrade.verify !== true || upgrade.failure?.reason === 'Verify' || service === undefined) return { kind: 'go' }
  const slot = slotOf(draft, deployment)
  // What is under way goes on after a walk has begun.
  if (when === 'before' && upgrade.walked.length > 0) return { kind: 'go' }
  const last = when === 'after' && (upgrade.mode === 'simultaneous' || upgrade.position === upgrade.domains.length - 1)
  const [from, to] = [endsOf(draft, deployment.id, upgrade, 'from'), endsOf(draft, deployment.id, upgrade, 'to')]
  const traffic = trafficOf(draft, {
    operation: upgrade.operation,
    service: deployment.service,
    slot,
    deployment: deployment.id,
    owner: 'walk',
    phase: when === 'before' ? 'before' : `domain ${upgrade.domains[upgrade.position] ?? 0}`,
    targets: targetsOf(
      draft,
      { service, slot, deployment: deployment.id },
      to,
      last ? null : from,
      when === 'before' ? 'few' : 'each',
    ),
  })
  if (last && traffic.kind === 'go') noteTraffic(draft, upgrade.operation)
  return traffic.kind === 'lost' ? loss(upgrade, traffic.message) : traffic
}

/** A loss in the middle of a domain is one at once. */
export function verifyLoss(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): Verdict {
  if (upgrade.verify !== true || upgrade.direction === 'back' || upgrade.failure !== null) return { kind: 'go' }
  const slot = slotOf(draft, deployment)
  const message = lossOf(draft, { operation: upgrade.operation, service: deployment.service, slot })
  return message === null ? { kind: 'go' } : loss(upgrade, message)
}

function loss({ walked }: UpgradeRecord, message: string): Verdict {
  return {
    kind: 'fail',
    reason: 'Verify',
    message: walked.length > 0 ? message : `before anything was changed: ${message}`,
  }
}

/** The roles as they are at one end of the walk. */
function endsOf(draft: Draft, deployment: string, upgrade: UpgradeRecord, end: 'from' | 'to'): RoleDefinition[] {
  return draft
    .rolesOf(deployment)
    .filter(({ name }) => !(end === 'from' ? upgrade.added : upgrade.removed).includes(name))
    .map(role => specOf(role, own(upgrade.roles, role.name)?.[end] ?? role.target).definition)
}
