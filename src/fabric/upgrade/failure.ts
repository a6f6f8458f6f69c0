import type { FailureReason } from '../../model/states.ts'
import type { Draft } from '../draft.ts'
import { endOperation } from '../operations.ts'
import type { DeploymentRecord } from '../state.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { codeOf, failureOf } from './failure-reason.ts'
import { rollbackBlock } from './may-roll-back.ts'
import { beginRollback } from './rollback.ts'
import { writeDomains } from './walked.ts'

/**
 * A monitored upgrade that failed, as its policy wants it: `rollback` turns it around where it may be, without health
 * checks on the way back; `manual` leaves it at this domain, in the mode unmonitored-manual and with nothing verified, for an operator to
 * walk on, roll back, or set to another mode.
 */
export function failUpgrade(
  draft: Draft,
  deployment: DeploymentRecord,
  upgrade: UpgradeRecord,
  reason: FailureReason,
  message: string,
): void {
  upgrade.failure = failureOf(upgrade, reason, message, draft.now.wall)
  const about = { service: deployment.service, deployment: deployment.id, operation: upgrade.operation }
  draft.event('upgrade-failed', `${reason}: ${message}`, about)
  const block = rollbackBlock(draft, deployment)
  // A lost request is always undone; a hook's word by policy where there is a policy, else it halts the walk.
  const undone =
    reason === 'Verify' ||
    (deployment.policy.failureAction === 'rollback' && (reason !== 'Hook' || upgrade.mode === 'monitored'))
  if (undone && block === null) {
    beginRollback(draft, deployment, 'auto', `${reason}: ${message}`)
    return
  }
  if (upgrade.mode !== 'manual') upgrade.mode = 'unmonitored-manual'
  upgrade.verified = []
  upgrade.clocks = { ...upgrade.clocks, domain: null, health: null }
  // What is on its way gets there by itself; the next walk begins with this domain again. One that has no instances
  // down yet is prepared for still.
  if (upgrade.phase !== 'preparing') upgrade.phase = 'waiting'
  const error = {
    code: codeOf(reason),
    message: `${reason}: ${message}${block === null ? '' : `, and not rolled back: ${block.message}`}; ${whatFollows(upgrade)}`,
  }
  for (const operation of [upgrade.operation, upgrade.walk]) {
    if (operation === null) continue
    writeDomains(draft, operation, upgrade, upgrade.failure)
    endOperation(draft, operation, 'Failed', error)
  }
  upgrade.walk = null
}

/** What is left to do of a walk that failed and was not turned round. */
function whatFollows({ position, domains }: UpgradeRecord): string {
  return position < domains.length
    ? 'it waits for `vipswap walk`, `vipswap rollback` or `vipswap upgrade set --mode monitored`'
    : 'every domain is done, and it completes all the same'
}
