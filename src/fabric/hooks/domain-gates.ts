import type { HookEvent } from '../../model/hooks.ts'
import type { Draft } from '../draft.ts'
import type { DeploymentRecord } from '../state.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import type { Verdict } from '../upgrade/verdict.ts'
import { verifyDomain, verifyLoss } from '../verify/upgrade.ts'
import { askHook, forgetHook, refusalOf, type HookAsk } from './ask.ts'

/** May the domain at the walk's position go down? On the way back nothing is asked. */
export function domainMayBegin(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): Verdict {
  if (upgrade.direction === 'back' || upgrade.unasked === true) return { kind: 'go' }
  const verified = verifyDomain(draft, deployment, upgrade, 'before')
  if (verified.kind !== 'go') return verified
  const ask = askOf(draft, deployment, upgrade, 'pre-domain')
  const answer = askHook(draft, ask)
  if (answer.kind === 'fail') return { ...answer, reason: 'Hook' }
  if (answer.kind === 'go') forgetHook(draft, ask)
  return answer
}

/** May the walk leave the domain that its gate lets go? First the system's own traffic, then what is outside. */
export function domainMayEnd(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): Verdict {
  if (upgrade.direction === 'back' || upgrade.unasked === true) return { kind: 'go' }
  const verified = verifyDomain(draft, deployment, upgrade, 'after')
  if (verified.kind !== 'go') return verified
  const asks = (['post-domain', 'confirm-domain'] as const).map(event => askOf(draft, deployment, upgrade, event))
  for (const ask of asks) {
    const answer = askHook(draft, ask)
    if (answer.kind === 'fail') return { ...answer, reason: 'Hook' }
    if (answer.kind === 'wait') return answer
  }
  for (const ask of asks) forgetHook(draft, ask)
  return { kind: 'go' }
}

/** What fails a walk whatever it is at: a lost request, or a hook's no (a health check is looked at only when it is due). */
export function domainTrouble(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): Verdict {
  const lost = verifyLoss(draft, deployment, upgrade)
  if (lost.kind === 'fail' || upgrade.direction === 'back') return lost
  for (const event of ['pre-domain', 'post-domain', 'confirm-domain'] as const) {
    const message = refusalOf(draft, askOf(draft, deployment, upgrade, event))
    if (message !== null) return { kind: 'fail', reason: 'Hook', message }
  }
  return { kind: 'go' }
}

/** Tells what is outside of a rollback that has begun. Nothing waits for it, and it may outlive the rollback. */
export function tellRollback(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): void {
  if (upgrade.unasked === true) return
  askHook(draft, { ...askOf(draft, deployment, upgrade, 'on-rollback'), owner: 'nobody' })
}

function askOf(
  draft: Draft,
  { id, service }: Readonly<DeploymentRecord>,
  upgrade: UpgradeRecord,
  event: HookEvent,
): HookAsk {
  const record = draft.operations.get(upgrade.operation)
  const back = upgrade.direction === 'back'
  return {
    event,
    owner: 'walk',
    facts: {
      operation: upgrade.operation,
      kind: record?.kind ?? 'upgrade',
      service,
      slot: record?.slot ?? null,
      deployment: id,
      domain: event === 'on-rollback' ? null : (upgrade.domains[upgrade.position] ?? null),
      fromVersion: back ? upgrade.to.version : upgrade.from.version,
      toVersion: back ? upgrade.from.version : upgrade.to.version,
    },
  }
}
