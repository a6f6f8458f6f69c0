import { own } from '../../core/own.ts'
import { HEALTH_STATES, type HealthState } from '../../model/states.ts'
import type { UpgradePolicy } from '../../model/upgrade-policy.ts'
import type { RoleRecord } from '../state.ts'
import type { HealthReport } from '../health-record.ts'
import { instanceHealth } from './instance-health.ts'
import { healthKey, isExpired, type HealthSource } from './report.ts'

/** Why something is not Ok. */
export interface Evaluation {
  readonly kind: 'Event' | 'ExpiredEvent' | 'InstanceState' | 'RoleInstances' | 'UpgradeDomainInstances' | 'Ledger'
  readonly state: HealthState
  readonly description: string
  readonly role?: string
  readonly instance?: string
  readonly domain?: number
  /** Names it over time; groups have none. */
  readonly key?: string
}

export interface Judged {
  readonly state: HealthState
  readonly evaluations: readonly Evaluation[]
}

export interface RoleHealth {
  readonly name: string
  readonly state: HealthState
  readonly total: number
  /** In Error. */
  readonly unhealthy: number
  /** How many may be. */
  readonly tolerated: number
  readonly instances: readonly { readonly id: string; readonly domain: number; readonly state: HealthState }[]
}

export interface Health extends Judged {
  readonly roles: readonly RoleHealth[]
  readonly domains: readonly { readonly domain: number; readonly state: HealthState }[]
}

export interface Subject {
  readonly deployment: string
  readonly roles: readonly Readonly<RoleRecord>[]
  readonly policy: UpgradePolicy
  /** Upgrade domains an upgrade has completed: each is judged by itself, too. */
  readonly completed: readonly number[]
  /** Keys of what was in Error before and so counts as Warning only. */
  readonly baseline: readonly string[]
}

/**
 * The aggregated health of a deployment (Service Fabric's rules): its own reports; its roles, each by its instances; and,
 * while an upgrade runs, each completed upgrade domain, so that a bad first one fails although it is a small share.
 */
export function evaluateHealth(source: HealthSource, subject: Subject): Health {
  const evaluations: Evaluation[] = judgeReports(source, subject, subject.deployment, {})
  let state = worstOf(evaluations)
  const roles = subject.roles.map(role => {
    const judged = judgeRole(source, subject, role)
    evaluations.push(...judged.evaluations)
    state = worse(state, judged.health.state)
    return judged.health
  })
  const domains = subject.completed.map(domain => {
    let worst: HealthState = 'Ok'
    for (const role of roles) {
      const inside = role.instances.filter(instance => instance.domain === domain)
      const { maxPercentUnhealthy } = percentOf(subject.policy, role.name)
      const group = judgeGroup(inside, maxPercentUnhealthy)
      worst = worse(worst, group.state)
      if (group.state !== 'Error') continue
      const description = `${group.errors} of ${inside.length} instances of ${role.name} in upgrade domain ${domain} are in Error; ${group.tolerated} may be`
      evaluations.push({ kind: 'UpgradeDomainInstances', state: 'Error', role: role.name, domain, description })
    }
    state = worse(state, worst)
    return { domain, state: worst }
  })
  return { state, evaluations: evaluations.toSorted(worstFirst), roles, domains }
}

/** Keys of what is in Error now: the baseline of an upgrade that asks for one. */
export function unhealthyNow(
  source: HealthSource,
  deployment: string,
  roles: readonly Readonly<RoleRecord>[],
  policy: UpgradePolicy,
): string[] {
  const { evaluations } = evaluateHealth(source, { deployment, roles, policy, completed: [], baseline: [] })
  return evaluations.flatMap(({ state, key }) => (state === 'Error' && key !== undefined ? key : []))
}

function judgeRole(
  source: HealthSource,
  subject: Subject,
  role: Readonly<RoleRecord>,
): { health: RoleHealth; evaluations: Evaluation[] } {
  const evaluations: Evaluation[] = []
  // What is planned comes with a later domain, or once its deployment has its addresses.
  const there = role.instances.filter(({ stage }) => stage !== 'planned')
  const instances = there.map(instance => {
    const about = { role: role.name, instance: instance.id }
    const key = healthKey(role.deployment, instance.id)
    const { unheard, ...itself } = instanceHealth(source.observed, role.deployment, instance)
    const said = { kind: 'InstanceState', ...about, ...itself, key: `state ${instance.id}` } as const
    const state = unheard ? said : finding(subject, said)
    const found = [state, ...judgeReports(source, subject, key, about)].filter(({ state }) => state !== 'Ok')
    evaluations.push(...found)
    return { id: instance.id, domain: instance.upgradeDomain, state: worstOf(found) }
  })
  const { maxPercentUnhealthy } = percentOf(subject.policy, role.name)
  const group = judgeGroup(instances, maxPercentUnhealthy)
  if (group.state === 'Error') {
    const description = `${group.errors} of ${instances.length} instances of ${role.name} are in Error; ${group.tolerated} may be (maxPercentUnhealthy ${maxPercentUnhealthy})`
    evaluations.push({ kind: 'RoleInstances', state: 'Error', role: role.name, description })
  }
  const health = {
    name: role.name,
    state: group.state,
    total: instances.length,
    unhealthy: group.errors,
    tolerated: group.tolerated,
    instances,
  }
  return { health, evaluations }
}

function percentOf(policy: UpgradePolicy, role: string): { readonly maxPercentUnhealthy: number } {
  return own(policy.roles, role) ?? policy
}

/**
 * Children of one kind: more in Error than ceil(total × percent / 100) is Error, any that is not Ok is Warning
 * (so 0 % tolerates none, and 1 % of 10 tolerates one).
 */
function judgeGroup(
  children: readonly { readonly state: HealthState }[],
  percent: number,
): { state: HealthState; errors: number; tolerated: number } {
  const errors = children.filter(({ state }) => state === 'Error').length
  const tolerated = Math.ceil((children.length * percent) / 100)
  if (errors > tolerated) return { state: 'Error', errors, tolerated }
  return { state: children.every(({ state }) => state === 'Ok') ? 'Ok' : 'Warning', errors, tolerated }
}

function judgeReports(
  source: HealthSource,
  subject: Subject,
  key: string,
  about: Pick<Evaluation, 'role' | 'instance'>,
): Evaluation[] {
  return source.reportsOf(key).flatMap(report => {
    const judged = judgeReport(source, subject, report, about)
    return judged.state === 'Ok' ? [] : [judged]
  })
}

function judgeReport(
  source: HealthSource,
  subject: Subject,
  report: Readonly<HealthReport>,
  about: Pick<Evaluation, 'role' | 'instance'>,
): Evaluation {
  const name = `${report.source}/${report.property}`
  const key = `report ${about.instance ?? ''} ${name}`
  // One that is to stay when its time is up says that whoever made it is gone.
  if (isExpired(report, source.now)) {
    return finding(subject, { kind: 'ExpiredEvent', ...about, state: 'Error', description: `${name} has expired`, key })
  }
  const description = report.description === '' ? `${name} reports ${report.state}` : `${name}: ${report.description}`
  return finding(subject, { kind: 'Event', ...about, state: report.state, description, key })
}

/** An evaluation as the policy and the baseline take it. */
function finding({ policy, baseline }: Subject, seen: Evaluation): Evaluation {
  const state = seen.state === 'Warning' && policy.considerWarningAsError ? 'Error' : seen.state
  if (state === 'Error' && seen.key !== undefined && baseline.includes(seen.key)) {
    return { ...seen, state: 'Warning', description: `${seen.description} (as before the upgrade)` }
  }
  return { ...seen, state }
}

function worse(a: HealthState, b: HealthState): HealthState {
  return HEALTH_STATES.indexOf(a) >= HEALTH_STATES.indexOf(b) ? a : b
}

function worstOf(found: readonly { readonly state: HealthState }[]): HealthState {
  return found.reduce<HealthState>((worst, { state }) => worse(worst, state), 'Ok')
}

function worstFirst(a: Evaluation, b: Evaluation): number {
  return HEALTH_STATES.indexOf(b.state) - HEALTH_STATES.indexOf(a.state)
}
