import type { UpgradeCommand } from '../../contracts/command.ts'
import { own } from '../../core/own.ts'
import type { Configuration } from '../../model/definition.ts'
import type { Release } from '../../model/release.ts'
import type { UpgradeMode } from '../../model/states.ts'
import { startAnchor } from '../anchor.ts'
import type { Draft } from '../draft.ts'
import { admit } from '../admit.ts'
import { beginOperation } from '../operations.ts'
import { requireDeployment } from '../lookup.ts'
import { refuse, refuseIfAny } from '../refusal.ts'
import { canonicalSettings, checkConfiguration, makeSpec, mergeConfiguration, requireRelease } from '../specs.ts'
import { roleKey, type DeploymentRecord, type RoleRecord, type RoleSpec, type UpgradeRecord } from '../state.ts'
import { forbiddenChanges } from './changes.ts'
import { applyCertificates, shownConflicts } from '../deployment/renew.ts'
import { changedCertificates, configurationOf, missingCertificates } from '../certificates.ts'
import { describeWalk } from './gate.ts'
import { orderOfDomains, supersede, wholeEnd, wholeSpec } from './supersede.ts'

/** The mode of an upgrade that names none. */
const DEFAULT_MODE: UpgradeMode = 'monitored'

/** Accepts an in-place upgrade, or refuses and changes nothing. Answers the operation's id. */
export function acceptUpgrade(draft: Draft, command: UpgradeCommand): string {
  const deployment = requireDeployment(draft, command.service, command.slot)
  takeOver(draft, deployment, 'upgrade')
  const release = requireRelease(draft.releases, command.package)
  const roles = draft.rolesOf(deployment.id)
  refuseIfAny(forbiddenChanges(deployment, roles, release.definition))
  if (command.role !== undefined && own(release.definition.roles, command.role) === undefined) {
    refuse(
      'role_not_found',
      `there is no role "${command.role}"; roles are ${Object.keys(release.definition.roles).join(', ')}`,
    )
  }
  const latest = configurationOf(deployment)
  const configuration = command.configuration === undefined ? latest : mergeConfiguration(latest, command.configuration)
  if (command.configuration !== undefined) {
    refuseIfAny(checkConfiguration(release.definition.roles, command.configuration))
    for (const [name, role] of Object.entries(command.configuration.roles)) {
      const running = roles.find(candidate => candidate.name === name)?.instances.length
      if (role.instances !== undefined && role.instances !== running) {
        refuse(
          'change_not_allowed',
          `role ${name} runs ${running} instances: scale first (\`vipswap scale ${name}=${role.instances}\`), then upgrade`,
        )
      }
    }
  }
  refuseIfAny(missingCertificates(release.definition, release, configuration))
  const wish: Wish = {
    mode: command.mode ?? DEFAULT_MODE,
    role: command.role ?? null,
    restartUnchanged: command.restartUnchanged,
    overlap: command.overlap,
    ownPackages: false,
    label: command.label ?? release.definition.version,
  }
  const certificates = changedCertificates(latest, configuration)
  if (certificates.length > 0 && changedRoles(draft, deployment.id, release, configuration, wish).length === 0) {
    return applyCertificates(draft, deployment.id, command.configuration ?? { roles: {} }, certificates)
  }
  return beginUpgrade(draft, deployment.id, release, configuration, wish)
}

/**
 * Takes a deployment over for a walk: refuses where one may not begin, ends what it supersedes (but for the walk that
 * runs: its successor knows where that leads).
 */
export function takeOver(draft: Draft, seen: Readonly<DeploymentRecord>, verb: 'upgrade' | 'configure'): void {
  admit(draft, seen, verb)
  if (seen.state !== 'deploying' && seen.state !== 'starting') return
  const deployment = draft.deployments.edit(seen.id)
  if (deployment !== undefined) deployment.state = 'running'
}

export interface Wish {
  mode: UpgradeMode
  role: string | null
  restartUnchanged: boolean
  /** Over a running walk: begin with the first domain although another may be down. */
  overlap: boolean
  /** A change of settings: each role stays on the package it runs, which need not be the deployment's after an upgrade of one role. */
  ownPackages: boolean
  label: string
}

/** Roles that `release` under `configuration` would have run otherwise than they do, and how. */
export function changedRoles(
  draft: Draft,
  id: string,
  release: Release,
  configuration: Configuration,
  wish: Pick<Wish, 'role' | 'restartUnchanged' | 'ownPackages'>,
): { role: Readonly<RoleRecord>; spec: RoleSpec }[] {
  return draft.rolesOf(id).flatMap(role => {
    const current = role.specs[role.target]
    const source = wish.ownPackages && current !== undefined ? requireRelease(draft.releases, current.package) : release
    const definition = own(source.definition.roles, role.name)
    if (definition === undefined || (wish.role !== null && wish.role !== role.name)) return []
    const spec = makeSpec(source, definition, configuration)
    return current !== undefined && isUnchanged(current, spec) && !wish.restartUnchanged ? [] : [{ role, spec }]
  })
}

/**
 * Records the walk from what runs to `release` under `configuration`. Over a walk that runs it takes that one's place,
 * begins with the domain in flight, and takes along the roles it does not change itself. Refuses where no role differs
 * from what it runs or goes to.
 */
export function beginUpgrade(
  draft: Draft,
  id: string,
  release: Release,
  configuration: Configuration,
  wish: Wish,
): string {
  const deployment = draft.deployments.edit(id)
  if (deployment === undefined) refuse('deployment_not_found', `there is no deployment ${id}`)
  const { upgrade: running } = deployment
  const changed: Record<string, { from: string; to: string }> = {}
  for (const { role: seen, spec } of changedRoles(draft, id, release, configuration, wish)) {
    const role = draft.roles.edit(roleKey(id, seen.name))
    if (role === undefined) continue
    const to = nameOf(draft, role, spec, wish)
    role.specs[to] = { ...(role.specs[to] ?? spec), id: to }
    changed[seen.name] = { from: wholeSpec(deployment, seen.name, role.target), to }
    role.target = to
  }
  if (Object.keys(changed).length === 0) refuseUnchanged(running, release)
  for (const name of Object.keys(running?.roles ?? {})) {
    const role = draft.roles.get(roleKey(id, name))
    if (role !== undefined) changed[name] ??= { from: wholeSpec(deployment, name, role.target), to: role.target }
  }
  const inFlight = supersede(draft, deployment)
  const whole = wholeEnd(deployment)
  const operation = beginOperation(draft, {
    kind: wish.ownPackages ? 'configure' : 'upgrade',
    service: deployment.service,
    slot: slotOf(draft, deployment),
    deployments: [id],
    step: 'preparing',
    message: `${wish.ownPackages ? 'settings' : 'upgrade'} of ${id} from ${whole.version} to ${release.definition.version} (${wish.mode})${running === null ? '' : `, in place of ${running.operation}`}`,
  })
  operation.from = { version: whole.version, package: whole.package }
  operation.to = { version: release.definition.version, package: release.digest }
  deployment.upgrade = {
    operation: operation.id,
    mode: wish.mode,
    direction: 'forward',
    from: whole,
    to: {
      package: release.digest,
      version: release.definition.version,
      label: wish.label,
      configuration,
      breaksData: release.definition.breaksData,
    },
    roles: changed,
    domains: orderOfDomains(draft, id, changed, wish.overlap ? [] : inFlight),
    position: 0,
    phase: 'preparing',
    inFlight: wish.overlap ? [] : [...inFlight],
    overlap: running !== null && wish.overlap,
    walk: null,
    clocks: freshClocks(draft),
    walked: [],
  }
  refuseIfAny(shownConflicts(draft, deployment.service))
  return operation.id
}

/**
 * The id under which a role keeps a spec it is to be walked to. What it knows already it goes back to as it is (instances
 * still on it stay); the same again, restarted on purpose, needs a name of its own.
 */
function nameOf(draft: Draft, role: Readonly<RoleRecord>, spec: RoleSpec, { restartUnchanged }: Wish): string {
  return restartUnchanged && role.specs[spec.id] !== undefined ? `${spec.id}-${draft.revision.n}` : spec.id
}

function refuseUnchanged(running: Readonly<UpgradeRecord> | null, { definition }: Release): never {
  if (running === null) {
    refuse(
      'nothing_to_do',
      `every role already runs what ${definition.version} says; \`--restart-unchanged\` restarts them all the same`,
    )
  }
  refuse(
    'identical_target',
    `${describeWalk(running)}; it goes there already (\`vipswap upgrade set --mode …\` changes how)`,
  )
}

export function freshClocks(draft: Draft): UpgradeRecord['clocks'] {
  return { upgrade: startAnchor(draft.now), domain: null, wait: null, stable: null, retry: null }
}

function isUnchanged(current: RoleSpec, next: RoleSpec): boolean {
  return current.identity === next.identity && canonicalSettings(current.settings) === canonicalSettings(next.settings)
}

export function slotOf(draft: Draft, deployment: Readonly<DeploymentRecord>): 'production' | 'staging' {
  return draft.services.get(deployment.service)?.slots.staging === deployment.id ? 'staging' : 'production'
}
