import type { RolePlanView, UpgradePlanView } from '../contracts/api/plan.ts'
import type { UpgradeCommand } from '../contracts/command.ts'
import { own } from '../core/own.ts'
import { ALLOWED_CHANGES } from '../fabric/allowed-changes.ts'
import { comesBeside } from '../fabric/beside.ts'
import { detectChanges, type Change } from '../fabric/detect-changes.ts'
import type { Draft } from '../fabric/draft.ts'
import { specOf } from '../fabric/instances.ts'
import { stayingCount } from '../fabric/lookup.ts'
import { coresInUse, round } from '../fabric/quota.ts'
import type { DeploymentRecord, RoleRecord } from '../fabric/state.ts'
import { roleKey } from '../fabric/keys.ts'
import { signersOf } from './views/signers.ts'
import type { UpgradeRecord } from '../fabric/upgrade-record.ts'
import { compareWith, DEFAULT_MODE } from '../fabric/upgrade/accept.ts'
import { oneDomainNote } from '../fabric/upgrade/floor.ts'
import { leaves } from '../fabric/upgrade/roles.ts'

/** What an accepted upgrade would do. `before` is how things are, `after` with the upgrade accepted. */
export function planUpgrade(before: Draft, after: Draft, command: UpgradeCommand): UpgradePlanView | null {
  const [seen, deployment] = [deploymentOf(before, command), deploymentOf(after, command)]
  const upgrade = deployment?.upgrade
  if (seen === undefined || deployment === undefined || upgrade == null) return null
  const roles = after.rolesOf(deployment.id)
  const changes = changesOf(before, seen, command)
  return {
    mode: upgrade.mode,
    fromVersion: upgrade.from.version,
    toVersion: upgrade.to.version,
    ...signersOf(after.releases.get(upgrade.to.package)),
    domains: { declared: deployment.upgradeDomainCount, effective: effectiveDomains(roles) },
    moves: upgrade.domains.map(domain => ({
      domain,
      instances: roles.flatMap(role =>
        role.instances
          .filter(instance => instance.upgradeDomain === domain && moves(upgrade, role, instance))
          .map(({ id }) => id),
      ),
    })),
    changes: changes.filter(({ role }) => role === null).map(viewChange),
    roles: roles.map(role => planRole(upgrade, role, changes)),
    cores: {
      before: round(coresInUse(before)),
      after: round(coresInUse(after)),
      quota: after.fabric.settings.quota?.cores ?? null,
    },
  }
}

/** As much as can be said of an upgrade that is refused: what would change; null where even that cannot be. */
export function planRefusedUpgrade(draft: Draft, command: UpgradeCommand): UpgradePlanView | null {
  const deployment = deploymentOf(draft, command)
  const release = draft.releases.get(command.package)
  if (deployment === undefined || release === undefined || release.definition.name !== command.service) return null
  const changes = changesOf(draft, deployment, command)
  const cores = round(coresInUse(draft))
  const roles = draft.rolesOf(deployment.id)
  return {
    mode: command.mode ?? DEFAULT_MODE,
    fromVersion: deployment.version,
    toVersion: release.definition.version,
    ...signersOf(release),
    domains: { declared: deployment.upgradeDomainCount, effective: effectiveDomains(roles) },
    moves: [],
    changes: changes.filter(({ role }) => role === null).map(viewChange),
    roles: [...new Set([...roles.map(({ name }) => name), ...Object.keys(release.definition.roles)])].map(name => {
      const role = draft.roles.get(roleKey(deployment.id, name))
      const mine = changes.filter(change => change.role === name)
      const count = role?.instances.length ?? 0
      const after = own(release.definition.roles, name)
      return {
        name,
        change:
          role === undefined ? 'added' : after === undefined ? 'removed' : mine.length > 0 ? 'changed' : 'unchanged',
        fromVersion: role === undefined ? null : specOf(role, role.target).version,
        toVersion: after === undefined ? null : release.definition.version,
        instances: { from: count, to: count },
        lowWater: count,
        changes: mine.map(viewChange),
      }
    }),
    cores: { before: cores, after: cores, quota: draft.fabric.settings.quota?.cores ?? null },
  }
}

function deploymentOf(draft: Draft, { service, slot }: UpgradeCommand): Readonly<DeploymentRecord> | undefined {
  return draft.deployments.get(draft.services.get(service)?.slots[slot] ?? '')
}

function changesOf(draft: Draft, deployment: Readonly<DeploymentRecord>, command: UpgradeCommand): Change[] {
  const release = draft.releases.get(command.package)
  return release === undefined ? [] : detectChanges(compareWith(draft, deployment, release, command))
}

/** Does an instance restart, or come, with its domain? */
function moves(upgrade: UpgradeRecord, role: Readonly<RoleRecord>, instance: RoleRecord['instances'][number]): boolean {
  if (leaves(upgrade, role.name, instance)) return false
  const to = own(upgrade.roles, role.name)?.to ?? (upgrade.added.includes(role.name) ? role.target : null)
  if (to === null) return false
  // The walk whose place it takes has brought it there.
  const arrived = instance.stage === 'serving' && instance.spec === to && instance.next === null
  return !arrived
}

function planRole(upgrade: UpgradeRecord, role: Readonly<RoleRecord>, changes: readonly Change[]): RolePlanView {
  const ends = own(upgrade.roles, role.name)
  const version = (id: string): string => specOf(role, id).version
  const count = own(upgrade.counts, role.name)
  const added = upgrade.added.includes(role.name)
  const removed = upgrade.removed.includes(role.name)
  const from = count?.from ?? stayingCount(role)
  return {
    name: role.name,
    change: removed ? 'removed' : added ? 'added' : ends !== undefined ? 'changed' : count ? 'scaled' : 'unchanged',
    fromVersion: added ? null : version(ends?.from ?? role.target),
    toVersion: removed ? null : version(role.target),
    instances: { from, to: count?.to ?? from },
    lowWater: added ? 0 : lowWater(upgrade, role),
    changes: changes.filter(change => change.role === role.name).map(viewChange),
  }
}

/** The fewest instances of a role that serve while it is walked: those there meanwhile without its largest domain. */
function lowWater(upgrade: UpgradeRecord, role: Readonly<RoleRecord>): number {
  const there = stayingCount(role)
  const to = own(upgrade.roles, role.name)?.to
  // What starts beside itself takes nothing away.
  const down = role.instances.filter(
    instance => moves(upgrade, role, instance) && (to === undefined || !comesBeside(role, instance, to)),
  )
  if (upgrade.mode === 'simultaneous') return Math.min(there - down.length, endCount(upgrade, role))
  const perDomain = upgrade.domains.map(domain => down.filter(({ upgradeDomain }) => upgradeDomain === domain).length)
  return Math.min(there - Math.max(0, ...perDomain), endCount(upgrade, role))
}

function endCount({ counts }: UpgradeRecord, role: Readonly<RoleRecord>): number {
  return own(counts, role.name)?.to ?? stayingCount(role)
}

/** Domains that hold an instance: a node may declare one, so that fewer are there than the count says. */
function effectiveDomains(roles: readonly Readonly<RoleRecord>[]): number {
  return new Set(roles.flatMap(role => role.instances.map(({ upgradeDomain }) => upgradeDomain))).size
}

function viewChange({ kind, what }: Change): RolePlanView['changes'][number] {
  const { inPlace, swap, redeploy } = ALLOWED_CHANGES[kind]
  return { kind, what, inPlace, swap, redeploy }
}

/** What is worth knowing before this upgrade. */
export function upgradeWarnings(before: Draft, after: Draft, command: UpgradeCommand): string[] {
  const deployment = deploymentOf(after, command)
  const upgrade = deployment?.upgrade
  if (deployment === undefined || upgrade == null) return []
  const warnings: string[] = []
  const roles = after.rolesOf(deployment.id)
  const note = oneDomainNote(deployment, roles, upgrade)
  if (note !== null) warnings.push(note)
  for (const role of roles) {
    const to = own(upgrade.roles, role.name)?.to
    if (to === undefined || !role.instances.some(each => comesBeside(role, each, to))) continue
    warnings.push(
      `role ${role.name} starts first: HOME and TMPDIR of its instances begin empty, since the old ones still use theirs; \`order: stop-first\` keeps what is in them`,
    )
  }
  for (const role of roles) {
    const [instance] = role.instances
    const to = own(upgrade.roles, role.name)?.to
    if (to === undefined || instance === undefined || role.instances.length >= 2) continue
    const gap = comesBeside(role, instance, to)
      ? 'the new one starts beside it, and nothing takes over while either fails'
      : 'requests are held while it restarts'
    warnings.push(
      `role ${role.name} has 1 instance: ${gap}; use more (\`vipswap scale ${role.name}=2\`, or instances in --config, which start first), or deploy to staging and swap`,
    )
  }
  for (const name of upgrade.removed) warnings.push(`role ${name} is removed, with what its instances stored locally`)
  for (const change of changesOf(before, deployment, command))
    if (change.kind === 'size')
      warnings.push(`role ${change.role ?? ''}: ${change.what}; what is stored locally is lost`)
  if (upgrade.to.breaksData) {
    warnings.push(
      `${upgrade.to.version} breaks data: what it writes ${upgrade.from.version} cannot read, so a rollback loses it or fails`,
    )
  }
  return warnings
}

/** The upgrade in words, a line a step. */
export function upgradeSteps(draft: Draft, command: UpgradeCommand, plan: UpgradePlanView): string[] {
  const deployment = deploymentOf(draft, command)
  const names = (changes: readonly RolePlanView['change'][]): RolePlanView[] =>
    plan.roles.filter(({ change }) => changes.includes(change))
  const grown = names(['changed', 'scaled']).filter(({ instances: { from, to } }) => to > from)
  const shrunk = names(['changed', 'scaled']).filter(({ instances: { from, to } }) => to < from)
  const count = ({ name, instances: { from, to } }: RolePlanView): string => `${name} from ${from} to ${to}`
  const walked = names(['changed', 'added'])
  const total = walked.reduce((sum, { instances: { from, to } }) => sum + Math.max(from, to), 0)
  return [
    `${deployment?.id ?? ''}: ${plan.fromVersion} to ${plan.toVersion}, mode ${plan.mode}, roles ${
      plan.roles
        .filter(({ change }) => change !== 'unchanged')
        .map(({ name }) => name)
        .join(', ') || 'none'
    }; ${plan.domains.declared} domains declared, ${plan.domains.effective} effective`,
    ...(grown.length === 0 ? [] : [`first: ${grown.map(count).join(', ')}, on the version that runs`]),
    ...plan.moves.map(
      ({ domain, instances }) =>
        `domain ${domain}: ${instances.join(', ')} (${total - instances.length} of ${total} keep serving)`,
    ),
    ...(shrunk.length === 0 ? [] : [`last: ${shrunk.map(count).join(', ')}, the highest index first`]),
    ...names(['removed']).map(({ name, fromVersion, instances }) =>
      fromVersion === null
        ? `at once: what there is of role ${name} goes, which neither end has`
        : `last: role ${name} goes, ${instances.from} instances`,
    ),
  ]
}
