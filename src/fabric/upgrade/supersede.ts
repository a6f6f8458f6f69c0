import type { Draft } from '../draft.ts'
import { specOf } from '../instances.ts'
import { keepUp } from '../way-down.ts'
import { isReady, isSeenReady } from '../seen.ts'
import { endOperation } from '../operations.ts'
import { changesSecret } from '../secrets.ts'
import { canonicalSettings } from '../specs.ts'
import { moveTo } from '../start-first.ts'
import type { RoleRecord, DeploymentRecord, InstanceRecord } from '../state.ts'
import type { UpgradeEnd, UpgradeRecord } from '../upgrade-record.ts'
import { own } from '../../core/own.ts'
import { failureOf } from './failure-reason.ts'
import { waitsForWalk } from './gate.ts'
import { writeDomains } from './walked.ts'

/** What a deployment was told to become last: the end of its walk, else what it is. */
export function latestEnd({ upgrade, ...deployment }: Readonly<DeploymentRecord>): UpgradeEnd {
  if (upgrade !== null) return upgrade.direction === 'forward' ? upgrade.to : upgrade.from
  const { package: digest, version, label, configuration, breaksData } = deployment
  return { package: digest, version, label, configuration, breaksData }
}

/**
 * Where a rollback of a walk that begins now leads: what the deployment was as a whole last. A walk that takes the place
 * of another goes back to where that one came from: the target between them never ran as a whole, and instances that have
 * not moved yet stay untouched (Cloud Services: a rollback returns what was updated, the rest stays as it is).
 */
export function wholeEnd({ upgrade, ...deployment }: Readonly<DeploymentRecord>): UpgradeEnd {
  return upgrade === null ? latestEnd({ ...deployment, upgrade }) : upgrade.from
}

/** The spec that a rollback of a walk beginning now leads a role to. */
export function wholeSpec({ upgrade }: Readonly<DeploymentRecord>, role: string, target: string): string {
  return own(upgrade?.roles ?? {}, role)?.from ?? target
}

/** The domains that are down because of this walk. */
export function downBecauseOf(upgrade: UpgradeRecord): readonly number[] {
  if (upgrade.phase === 'preparing' || (upgrade.phase === 'waiting' && upgrade.position === 0)) {
    return upgrade.inFlight ?? []
  }
  if (upgrade.phase === 'waiting') return []
  return upgrade.mode === 'simultaneous'
    ? upgrade.domains.slice(upgrade.position)
    : upgrade.domains.slice(upgrade.position, upgrade.position + 1)
}

/**
 * Ends the operations of the running walk; its instances stay where they are, and the roles it does not share with the
 * next one go on to where they were going. Answers the domains in flight.
 */
export function supersede(draft: Draft, { upgrade }: Readonly<DeploymentRecord>): readonly number[] {
  if (upgrade === null) return []
  const failure =
    upgrade.direction === 'back'
      ? null
      : failureOf(upgrade, 'Interrupted', 'a later change took its place', draft.now.wall)
  for (const operation of [upgrade.walk, upgrade.operation]) {
    if (operation === null) continue
    writeDomains(draft, operation, upgrade, failure)
    endOperation(draft, operation, 'Cancelled', { code: 'superseded', message: 'a later change took its place' })
  }
  return downBecauseOf(upgrade)
}

/** Is an instance neither where it is to arrive nor on its way there? */
export function mustMove(instance: Readonly<InstanceRecord>, spec: string): boolean {
  if (instance.next === 'remove') return false
  return instance.nextSpec === null ? instance.spec !== spec : instance.nextSpec !== spec
}

/** Sends an instance to a spec; one that is on it and was only asked down stays up. True if it must go down for it. */
export function sendTo(
  draft: Draft,
  role: Readonly<RoleRecord>,
  instance: InstanceRecord,
  spec: string,
  emptied: boolean,
): boolean {
  if (reloads(role, instance, spec)) {
    instance.spec = spec
    return true
  }
  if (instance.spec === spec && instance.nextSpec !== spec && keepUp(draft, instance)) return false
  // What a reimage was asked for is still to be done.
  const clean = emptied ? 'all' : instance.next === 'restart' ? instance.nextClean : 'none'
  moveTo(draft, role, instance, { spec, clean })
  return true
}

/** Only settings differ, and the role asked to be told of them by a file and a signal: the process serves on. */
function reloads(role: Readonly<RoleRecord>, instance: Readonly<InstanceRecord>, spec: string): boolean {
  const [now, next] = [specOf(role, instance.spec), specOf(role, spec)]
  return (
    next.definition.settingsReload !== undefined &&
    isReady(instance) &&
    instance.node !== '' &&
    now.package === next.package &&
    !changesSecret(now, next) &&
    canonicalSettings(now.settings) !== canonicalSettings(next.settings)
  )
}

/** Domains ascending, those in flight first. */
export function orderOfDomains(domains: readonly number[], inFlight: readonly number[]): number[] {
  const rest = [...new Set(domains)].toSorted((a, b) => a - b)
  return [...rest.filter(domain => inFlight.includes(domain)), ...rest.filter(domain => !inFlight.includes(domain))]
}

/** Does a walk have roles or instances at one end only? Such a one shares its place with no other. */
export function isComposed({ added, removed, counts }: Pick<UpgradeRecord, 'added' | 'removed' | 'counts'>): boolean {
  return added.length + removed.length + Object.keys(counts).length > 0
}

/**
 * With the first domain of a walk that goes by itself also goes what is down anyway (in a domain that another walk left
 * behind, or in a crash loop): it costs nobody anything, and a deployment that is stuck comes unstuck.
 */
export function takesStragglers({ direction, mode, position, overlap }: Readonly<UpgradeRecord>): boolean {
  return (
    direction === 'forward' && position === 0 && !waitsForWalk({ mode, position: 1, failure: null }) && overlap !== true
  )
}

export function isStraggler(draft: Draft, deployment: string, instance: Readonly<InstanceRecord>): boolean {
  // About to serve (again): a rollback kept it up.
  if (instance.stage === 'starting' && isSeenReady(draft, deployment, instance)) return false
  if (instance.stage === 'planned' || instance.stage === 'stopped' || instance.next === 'remove') return false
  return instance.stage !== 'serving' || instance.hopeless
}
