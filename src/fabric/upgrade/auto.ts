import { own } from '../../core/own.ts'
import { elapsedMs } from '../anchor.ts'
import type { Draft } from '../draft.ts'
import { instanceHealth } from '../health/instance-health.ts'
import { specOf } from '../instances.ts'
import { isHeardOf, isReady } from '../seen.ts'
import type { DeploymentRecord, InstanceRecord, RoleRecord } from '../state.ts'
import { instanceKey } from '../keys.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { leaves } from './roles.ts'
import type { Verdict } from './verdict.ts'

/**
 * Cloud Services: of each role's instances that are on the new version already, a minimum share must be ready. Below it
 * the walk waits for ever, and goes on by itself on recovery. Those that were not ready within their start time-out are
 * left out where the policy says `continue`, as Cloud Services does.
 */
export function judgeShare(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): Verdict {
  const { minReadyPercent, onStartTimeout } = deployment.policy
  const missing: { role: Readonly<RoleRecord>; instance: Readonly<InstanceRecord> }[] = []
  let unknown = false
  for (const role of draft.rolesOf(deployment.id)) {
    const moved = role.instances.filter(
      instance =>
        // What is planned comes with a later domain.
        instance.stage !== 'planned' &&
        // What is on its way out is neither ready nor missing.
        instance.next !== 'remove' &&
        !leaves(upgrade, role.name, instance) &&
        (instance.spec === own(upgrade.roles, role.name)?.to || upgrade.added.includes(role.name)) &&
        !(onStartTimeout === 'continue' && hasStartTimedOut(draft, role, instance)),
    )
    const heard = moved.filter(instance => isHeardOf(draft, role.deployment, instance))
    const ready = heard.filter(isReady)
    if (ready.length * 100 >= moved.length * minReadyPercent) continue
    unknown ||= heard.length < moved.length
    for (const instance of heard) if (!isReady(instance)) missing.push({ role, instance })
  }
  tell(draft, deployment, upgrade, missing)
  return missing.length === 0 && !unknown ? { kind: 'go' } : { kind: 'wait' }
}

/** Once for each set of instances, not for every look at them. */
function tell(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  upgrade: UpgradeRecord,
  missing: readonly { role: Readonly<RoleRecord>; instance: Readonly<InstanceRecord> }[],
): void {
  const ids = missing.map(({ instance }) => instance.id)
  if (ids.join() === upgrade.stuck.join()) return
  const about = { service: deployment.service, deployment: deployment.id, operation: upgrade.operation }
  if (ids.length === 0) {
    draft.event('upgrade-unstuck', `${upgrade.stuck.join(', ')}: enough instances are ready, the walk goes on`, about)
  } else {
    const reasons = missing.map(
      ({ role, instance }) =>
        `${instance.id} (${instanceHealth(draft.observed, role.deployment, instance).description})`,
    )
    draft.event('upgrade-stuck', `the walk waits for ${reasons.join(', ')} to be ReadyRole`, about)
  }
  upgrade.stuck = ids
}

/** Was it given up by its agent, or is its time to become ready over by our own clock? */
function hasStartTimedOut(draft: Draft, role: Readonly<RoleRecord>, instance: Readonly<InstanceRecord>): boolean {
  if (instance.stage !== 'starting') return false
  const seen = draft.observed.nodes[instance.node]?.instances[instanceKey(role.deployment, instance)]
  if (seen?.incarnation === instance.incarnation && seen.state === 'failed') return true
  return elapsedMs(instance.anchor, draft.now) >= specOf(role, instance.spec).definition.startTimeoutMs
}
