import type { ActionName, ActionView, DeploymentView } from '../../contracts/api/deployment.ts'
import type { RoleView } from '../../contracts/api/role.ts'
import type { UpgradeStatusView } from '../../contracts/api/upgrade-status.ts'
import type { Command } from '../../contracts/command.ts'
import type { Moment } from '../../core/clock.ts'
import { rehearse } from '../../fabric/apply.ts'
import { certificateNotes, knownIn } from '../../fabric/certificates.ts'
import { Draft } from '../../fabric/draft.ts'
import { instanceHealth } from '../../fabric/health/instance-health.ts'
import { specOf } from '../../fabric/instances.ts'
import { isReady } from '../../fabric/seen.ts'
import { coresOf } from '../../fabric/quota.ts'
import { rolesOf } from '../../fabric/lookup.ts'
import { Refused } from '../../fabric/refusal.ts'
import type { DeploymentRecord, FabricState, RoleRecord } from '../../fabric/state.ts'
import type { UpgradeRecord } from '../../fabric/upgrade-record.ts'
import { admit, lockedBy } from '../../fabric/admit.ts'
import { takeOver } from '../../fabric/upgrade/accept.ts'
import { waitsForWalk } from '../../fabric/upgrade/gate.ts'
import { floorReason } from '../../fabric/upgrade/floor.ts'
import { rollbackBlock } from '../../fabric/upgrade/may-roll-back.ts'
import { domainsAt } from '../../fabric/upgrade/walk.ts'
import { own } from '../../core/own.ts'
import type { Slot } from '../../model/slot.ts'
import type { UpgradePolicy } from '../../model/upgrade-policy.ts'
import type { DeploymentStatus } from '../../model/states.ts'
import { viewClocks } from './clocks-view.ts'
import { signersOf } from './signers.ts'
import { viewInstance } from './instance-view.ts'
import { tasksOf } from './task-words.ts'

/** The deployment in a slot as the admin API shows it. */
export function viewDeployment(
  state: FabricState,
  deployment: DeploymentRecord,
  slot: Slot,
  now: Moment,
): DeploymentView {
  const roles = rolesOf(state, deployment.id)
  const blocked = rollbackBlock(new Draft(state, now), deployment)
  return {
    id: deployment.id,
    service: deployment.service,
    slot,
    label: deployment.label,
    package: deployment.package,
    version: deployment.version,
    ...signersOf(own(state.releases, deployment.package)),
    status: statusOf(deployment, roles),
    createdAt: new Date(deployment.createdAt).toISOString(),
    upgradeDomainCount: deployment.upgradeDomainCount,
    effectiveUpgradeDomainCount: domainsOf(roles).length,
    platform: platformOf(roles),
    locked: lockedBy(new Draft(state, now), deployment) !== null,
    rollbackAllowed: blocked === null,
    ...(blocked === null ? {} : { rollbackBlockedBy: blocked.message }),
    ...(deployment.upgrade === null
      ? {}
      : { upgradeStatus: viewUpgrade(state, deployment, deployment.upgrade, roles, now) }),
    policy: deployment.policy,
    actions: actionsOf(state, deployment, slot, now),
    roles: roles.map(role => viewRole(state, deployment, role, now)),
    instances: roles.flatMap(role => role.instances.map(instance => viewInstance(state, role, instance))),
  }
}

function statusOf(deployment: DeploymentRecord, roles: readonly RoleRecord[]): DeploymentStatus {
  switch (deployment.state) {
    case 'pending':
    case 'deploying':
      return 'Deploying'
    case 'suspending':
      return 'Suspending'
    case 'suspended':
      return 'Suspended'
    case 'starting':
      return 'Starting'
    case 'deleting':
      return 'Deleting'
    case 'running':
      return deployment.upgrade !== null || roles.some(role => role.instances.some(instance => instance.next !== null))
        ? 'RunningTransitioning'
        : 'Running'
  }
}

/** What its roles are to run on: one for all, save that an upgrade of one role alone leaves the others on theirs. */
function platformOf(roles: readonly RoleRecord[]): DeploymentView['platform'] {
  const [first] = roles
  return first === undefined ? { version: null, trustLevel: 'full' } : specOf(first, first.target).platform
}

function viewRole(state: FabricState, deployment: DeploymentRecord, role: RoleRecord, now: Moment): RoleView {
  const spec = specOf(role, role.target)
  return {
    name: role.name,
    kind: spec.definition.kind,
    version: spec.version,
    size: spec.definition.size,
    cores: coresOf(spec.definition, state.fabric.settings),
    instances: role.instances.length,
    ready: role.instances.filter(isReady).length,
    endpoints: spec.definition.endpoints.map(({ name, protocol, port, internal }) => ({
      name,
      protocol,
      port,
      internal,
    })),
    certificates: certificateNotes(knownIn(state), deployment, role, now.wall).map(
      ({ name, certificate, warning }) => ({
        name,
        id: certificate.id,
        names: certificate.names,
        notAfter: new Date(certificate.notAfter).toISOString(),
        ...(warning === null ? {} : { warning }),
      }),
    ),
  }
}

/** How far a walk is. `roles`: all of its deployment. */
export function viewUpgrade(
  state: FabricState,
  { policy }: DeploymentRecord,
  upgrade: UpgradeRecord,
  roles: readonly RoleRecord[],
  now: Moment,
): UpgradeStatusView {
  const type = upgrade.mode === 'simultaneous' ? 'Simultaneous' : upgrade.mode.endsWith('manual') ? 'Manual' : 'Auto'
  const during = upgrade.phase === 'walking' || upgrade.phase === 'verifying' || upgrade.phase === 'halted'
  const waitingFor = tasksOf(state, upgrade.operation) || waitingOf(upgrade, policy, roles)
  const current = upgrade.domains[upgrade.position] ?? upgrade.domains.at(-1) ?? 0
  const together = upgrade.mode === 'simultaneous'
  return {
    type,
    mode: upgrade.mode,
    direction: upgrade.direction,
    fromVersion: upgrade.direction === 'forward' ? upgrade.from.version : upgrade.to.version,
    toVersion: upgrade.direction === 'forward' ? upgrade.to.version : upgrade.from.version,
    currentUpgradeDomain: current,
    currentUpgradeDomainState: during ? 'During' : 'Before',
    domains: [
      ...upgrade.domains.map((domain, position) => ({
        domain,
        state:
          position < upgrade.position
            ? ('done' as const)
            : during && (together || position === upgrade.position)
              ? ('during' as const)
              : ('pending' as const),
        waitingFor: during && position === upgrade.position ? waitingFor : null,
      })),
      ...domainsOf(roles)
        .filter(domain => !upgrade.domains.includes(domain))
        .map(domain => ({ domain, state: 'skipped' as const, waitingFor: null })),
    ],
    operationId: upgrade.operation,
    waitingFor,
    verified: upgrade.verified,
    clocks: viewClocks(upgrade, policy, now),
    ...(upgrade.failure === null
      ? {}
      : { failure: { ...upgrade.failure, at: new Date(upgrade.failure.at).toISOString() } }),
    ...(upgrade.stuck.length === 0 ? {} : { stuck: stuckOf(state, upgrade, roles) }),
  }
}

/** Upgrade domains that hold an instance. */
function domainsOf(roles: readonly RoleRecord[]): number[] {
  const domains = roles.flatMap(role => role.instances.map(({ upgradeDomain }) => upgradeDomain))
  return [...new Set(domains)].toSorted((a, b) => a - b)
}

function stuckOf(state: FabricState, { stuck }: UpgradeRecord, roles: readonly RoleRecord[]) {
  return roles.flatMap(role =>
    role.instances
      .filter(({ id }) => stuck.includes(id))
      .map(instance => ({
        instance: instance.id,
        reason: instanceHealth(state.observed, role.deployment, instance).description,
      })),
  )
}

function waitingOf(upgrade: UpgradeRecord, policy: UpgradePolicy, roles: readonly RoleRecord[]): string | null {
  switch (upgrade.phase) {
    case 'preparing':
      if (Object.keys(upgrade.counts).length === 0) return 'the package on every node'
      return 'the package on every node, and instances of larger counts to be ReadyRole'
    case 'waiting':
      return upgrade.walk === null && waitsForWalk(upgrade)
        ? `\`vipswap walk\` of domain ${upgrade.domains[upgrade.position] ?? 0}`
        : floorReason(upgrade, policy, roles, domainsAt(upgrade))
    case 'removing':
      return `what ${upgrade.direction === 'forward' ? upgrade.to.version : upgrade.from.version} does not have to drain and stop`
    case 'halted':
      return 'a fresh `vipswap upgrade`, or `vipswap rollback` again: an old instance did not start'
    case 'walking':
    case 'verifying': {
      const busy = roles.flatMap(role =>
        role.instances
          .filter(instance => !isReady(instance) && instance.stage !== 'planned')
          .map(instance => `${instance.id} (${instance.stage})`),
      )
      if (busy.length > 0) return `${busy.join(', ')} to be ReadyRole`
      return upgrade.mode === 'monitored' ? 'the deployment to stay healthy for the stable duration' : null
    }
  }
}

function actionsOf(
  state: FabricState,
  deployment: DeploymentRecord,
  slot: Slot,
  now: Moment,
): Record<ActionName, ActionView> {
  const about = { service: deployment.service, slot }
  const ask = (command: Command): ActionView => {
    const outcome = rehearse(state, command, now)
    return 'refusal' in outcome
      ? { allowed: false, code: outcome.refusal.code, reason: outcome.refusal.message }
      : { allowed: true }
  }
  return {
    swap: ask({ kind: 'swap', service: deployment.service }),
    upgrade: attempt(() => takeOver(new Draft(state, now), deployment, 'upgrade')),
    scale: attempt(() => admit(new Draft(state, now), deployment, 'scale')),
    walk: ask({ kind: 'walk', ...about }),
    rollback: ask({ kind: 'rollback', ...about }),
    suspend: ask({ kind: 'status', ...about, status: 'Suspended' }),
    start: ask({ kind: 'status', ...about, status: 'Running' }),
    delete: ask({ kind: 'delete', ...about }),
  }
}

function attempt(check: () => void): ActionView {
  try {
    check()
    return { allowed: true }
  } catch (thrown) {
    if (thrown instanceof Refused) return { allowed: false, code: thrown.refusal.code, reason: thrown.refusal.message }
    throw thrown
  }
}
