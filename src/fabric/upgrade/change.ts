import type { ChangeUpgradeCommand } from '../../contracts/command.ts'
import type { UpgradeMode } from '../../model/states.ts'
import type { UpgradePolicySource } from '../../model/upgrade-policy-schema.ts'
import { resolvePolicy } from '../../model/upgrade-policy.ts'
import type { Draft } from '../draft.ts'
import { requireDeployment, slotOf } from '../lookup.ts'
import { refuse } from '../refusal.ts'
import type { DeploymentRecord } from '../state.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { beginOperation, endOperation, swapsOwnWalk } from '../operations.ts'
import { requirePolicy } from './accept-policy.ts'
import { describeWalk, waitsForWalk } from './gate.ts'

/** What a policy says that the modes of Cloud Services look at. */
const SHARE_FIELDS: ReadonlySet<string> = new Set(['minReadyPercent', 'onStartTimeout'])

/**
 * Changes mode and policy of a running upgrade (Service Fabric: UpdateUpgrade). The clocks go on; a monitored loop that is
 * left begins anew should it be entered again. Answers the upgrade's own operation.
 */
export function acceptChange(draft: Draft, command: ChangeUpgradeCommand): string {
  const seen = requireDeployment(draft, command.service, command.slot)
  const deployment = draft.deployments.edit(seen.id)
  const upgrade = deployment?.upgrade
  if (deployment === undefined || upgrade == null) {
    refuse('no_upgrade', `nothing is being upgraded in ${command.service}/${command.slot}`)
  }
  const swaps = swapsOwnWalk(draft, deployment)
  if (swaps !== null) refuse('change_not_allowed', swaps)
  if (upgrade.phase === 'halted') refuse('change_not_allowed', describeWalk(upgrade))
  const mode = command.mode ?? upgrade.mode
  if (upgrade.direction === 'back') requireRollback(command)
  if (command.policy !== undefined) changePolicy(draft, deployment, mode, command.policy)
  if (command.mode !== undefined) changeMode(upgrade, command.mode)
  const said = [
    ...(command.mode === undefined ? [] : [`mode is now ${mode}`]),
    ...(command.policy === undefined ? [] : [`policy changed: ${Object.keys(command.policy).join(', ')}`]),
  ]
  draft.event('upgrade-changed', said.join('; '), { service: seen.service, deployment: seen.id })
  if (draft.operations.get(upgrade.operation)?.status !== 'InProgress') takeUpAgain(draft, deployment, upgrade)
  return upgrade.operation
}

/** The operation that began it has ended (it failed, or was done when accepted): what follows is one of its own. */
function takeUpAgain(draft: Draft, deployment: DeploymentRecord, upgrade: UpgradeRecord): void {
  const back = upgrade.direction === 'back'
  const [start, end] = back ? [upgrade.to, upgrade.from] : [upgrade.from, upgrade.to]
  const operation = beginOperation(draft, {
    kind: back ? 'rollback' : 'upgrade',
    service: deployment.service,
    slot: slotOf(draft, deployment),
    deployments: [deployment.id],
    step: upgrade.phase === 'preparing' ? 'preparing' : 'walking',
    message: `${deployment.id} goes on to ${end.version} (${upgrade.mode})`,
  })
  operation.from = { version: start.version, package: start.package }
  operation.to = { version: end.version, package: end.package }
  upgrade.operation = operation.id
  if (waitsForWalk(upgrade)) endOperation(draft, operation.id, 'Succeeded')
}

function requireRollback({ mode, policy }: ChangeUpgradeCommand): void {
  if (policy !== undefined) refuse('change_not_allowed', 'a rollback has no health checks: only its mode may change')
  if (mode !== 'auto' && mode !== 'manual') refuse('change_not_allowed', 'a rollback walks in mode auto or manual')
}

function changePolicy(
  draft: Draft,
  deployment: DeploymentRecord,
  mode: UpgradeMode,
  source: UpgradePolicySource,
): void {
  const fields = Object.keys(source)
  if (fields.length === 0) refuse('invalid_request', 'the policy is empty: there is nothing to change')
  const idle = mode === 'monitored' ? [] : fields.filter(field => isUnmonitored(mode) || !SHARE_FIELDS.has(field))
  if (idle.length > 0) {
    refuse(
      'change_not_allowed',
      `${idle.join(', ')} would have no effect in mode ${mode}: set \`--mode monitored\` with it`,
    )
  }
  const policy = resolvePolicy(source, deployment.policy)
  requirePolicy(
    policy,
    draft.rolesOf(deployment.id).map(role => role.name),
  )
  deployment.policy = policy
}

function isUnmonitored(mode: UpgradeMode): boolean {
  return mode === 'unmonitored-auto' || mode === 'unmonitored-manual'
}

function changeMode(upgrade: UpgradeRecord, mode: UpgradeMode): void {
  // All that is left goes down now; a domain in flight is waited for together with the rest.
  const widens = mode === 'simultaneous' && upgrade.mode !== 'simultaneous'
  if (widens && (upgrade.phase === 'walking' || upgrade.phase === 'verifying')) upgrade.phase = 'waiting'
  if (mode !== upgrade.mode) {
    upgrade.clocks.health = null
    upgrade.stuck = []
  }
  upgrade.mode = mode
  // Its operator has taken it up again.
  if (upgrade.direction === 'forward') upgrade.failure = null
}
