import { parseDuration } from '../core/duration.ts'
import type { UpgradePolicySource } from './upgrade-policy-schema.ts'

/**
 * How an upgrade judges health between domains, with all defaults filled in. Percentages from 0 to 100. The fields of the
 * monitored mode have Service Fabric's names and meanings (its MonitoringPolicy and ApplicationHealthPolicy).
 */
export interface UpgradePolicy {
  /** `manual`: the walk stops where it is and goes on domain by domain when asked. */
  readonly failureAction: 'rollback' | 'manual'
  /** Before the first check of a domain. */
  readonly healthCheckWaitDurationMs: number
  /** For so long every check must be healthy. */
  readonly healthCheckStableDurationMs: number
  /** Checks that are unhealthy for so long fail the upgrade. */
  readonly healthCheckRetryTimeoutMs: number
  readonly healthCheckIntervalMs: number
  /** null: none. */
  readonly upgradeDomainTimeoutMs: number | null
  readonly upgradeTimeoutMs: number | null
  readonly considerWarningAsError: boolean
  /** Of a role's instances, for roles not named in `roles`. */
  readonly maxPercentUnhealthy: number
  readonly roles: Readonly<Record<string, { readonly maxPercentUnhealthy: number }>>
  /** What was unhealthy before the upgrade does not fail it. */
  readonly baseline: boolean
  readonly gates: LedgerGates | null
  /** Mode `auto`: of each role's instances on the new version. */
  readonly minReadyPercent: number
  /** Mode `auto`: `continue` leaves out what was not ready within its start time-out, as Cloud Services does. */
  readonly onStartTimeout: 'unhealthy' | 'continue'
  /** May roles be added, changed and removed in place (Service Fabric: EnableDefaultServicesUpgrade)? */
  readonly allowRoleChanges: boolean
}

/** Judges the new version by what the proxies counted since the upgrade began. */
export interface LedgerGates {
  /** Fewer requests say nothing. */
  readonly minRequests: number
  /** Broken requests and answers of 5xx among all that ended. null: not looked at. */
  readonly maxErrorPercent: number | null
  /** 99th percentile of the new version's durations over that of the old. null: not looked at. */
  readonly maxP99Ratio: number | null
}

export const DEFAULT_UPGRADE_POLICY: UpgradePolicy = {
  failureAction: 'rollback',
  healthCheckWaitDurationMs: 0,
  healthCheckStableDurationMs: 10_000,
  healthCheckRetryTimeoutMs: 60_000,
  healthCheckIntervalMs: 1000,
  upgradeDomainTimeoutMs: null,
  upgradeTimeoutMs: null,
  considerWarningAsError: false,
  maxPercentUnhealthy: 0,
  roles: {},
  baseline: false,
  gates: null,
  minReadyPercent: 100,
  onStartTimeout: 'unhealthy',
  allowRoleChanges: true,
}

export type PolicyName = 'default' | 'service-fabric'

/** The policies that have a name; the second has Service Fabric's own defaults (RollingUpgradeMonitoringPolicy). */
export const NAMED_POLICIES: Readonly<Record<PolicyName, UpgradePolicy>> = {
  default: DEFAULT_UPGRADE_POLICY,
  'service-fabric': {
    ...DEFAULT_UPGRADE_POLICY,
    failureAction: 'manual',
    healthCheckStableDurationMs: 120_000,
    healthCheckRetryTimeoutMs: 600_000,
    healthCheckIntervalMs: 60_000,
    allowRoleChanges: false,
  },
}

export function isPolicyName(text: string): text is PolicyName {
  return Object.hasOwn(NAMED_POLICIES, text)
}

/** What is written, over the policy it extends, else over `base`. */
export function resolvePolicy(source: UpgradePolicySource, base: UpgradePolicy): UpgradePolicy {
  const under = source.extends === undefined ? base : NAMED_POLICIES[source.extends]
  const duration = (text: string | undefined, fallback: number): number =>
    text === undefined ? fallback : parseDuration(text)
  const limit = (text: string | undefined, fallback: number | null): number | null =>
    text === undefined ? fallback : text === 'none' ? null : parseDuration(text)
  return {
    failureAction: source.failureAction ?? under.failureAction,
    healthCheckWaitDurationMs: duration(source.healthCheckWaitDuration, under.healthCheckWaitDurationMs),
    healthCheckStableDurationMs: duration(source.healthCheckStableDuration, under.healthCheckStableDurationMs),
    healthCheckRetryTimeoutMs: duration(source.healthCheckRetryTimeout, under.healthCheckRetryTimeoutMs),
    healthCheckIntervalMs: duration(source.healthCheckInterval, under.healthCheckIntervalMs),
    upgradeDomainTimeoutMs: limit(source.upgradeDomainTimeout, under.upgradeDomainTimeoutMs),
    upgradeTimeoutMs: limit(source.upgradeTimeout, under.upgradeTimeoutMs),
    considerWarningAsError: source.considerWarningAsError ?? under.considerWarningAsError,
    maxPercentUnhealthy: source.maxPercentUnhealthy ?? under.maxPercentUnhealthy,
    roles: { ...under.roles, ...source.roles },
    baseline: source.baseline ?? under.baseline,
    gates: resolveGates(source.gates, under.gates),
    minReadyPercent: source.minReadyPercent ?? under.minReadyPercent,
    onStartTimeout: source.onStartTimeout ?? under.onStartTimeout,
    allowRoleChanges: source.allowRoleChanges ?? under.allowRoleChanges,
  }
}

function resolveGates(source: UpgradePolicySource['gates'], under: LedgerGates | null): LedgerGates | null {
  if (source === undefined) return under
  if (source === false) return null
  return {
    minRequests: source.minRequests ?? under?.minRequests ?? 100,
    maxErrorPercent: source.maxErrorPercent ?? under?.maxErrorPercent ?? null,
    maxP99Ratio: source.maxP99Ratio ?? under?.maxP99Ratio ?? null,
  }
}

/** Something in a policy that contradicts itself; `field` is its name in the file. */
export interface PolicyFault {
  readonly field: keyof UpgradePolicySource
  readonly found: string
  readonly expected: string
}

/**
 * The time-outs against one another, as Service Fabric validates them for a monitored upgrade: each of the two above
 * wait + retry and above wait + stable, and the whole at least a domain's.
 */
export function policyFaults(policy: UpgradePolicy): PolicyFault[] {
  const faults: PolicyFault[] = []
  if (policy.healthCheckIntervalMs <= 0) {
    faults.push({ field: 'healthCheckInterval', found: 'found nothing', expected: 'write at least 1ms' })
  }
  const wait = policy.healthCheckWaitDurationMs
  const least = wait + Math.max(policy.healthCheckRetryTimeoutMs, policy.healthCheckStableDurationMs)
  const limits = [
    ['upgradeDomainTimeout', policy.upgradeDomainTimeoutMs],
    ['upgradeTimeout', policy.upgradeTimeoutMs],
  ] as const
  for (const [field, ms] of limits) {
    if (ms === null || ms > least) continue
    faults.push({
      field,
      found: `found ${ms / 1000} s`,
      expected: `write more than healthCheckWaitDuration and the longer of healthCheckStableDuration and healthCheckRetryTimeout together, which are ${least / 1000} s`,
    })
  }
  const [domain, whole] = [policy.upgradeDomainTimeoutMs, policy.upgradeTimeoutMs]
  if (whole !== null && domain !== null && whole < domain) {
    faults.push({
      field: 'upgradeTimeout',
      found: `found ${whole / 1000} s`,
      expected: `write at least upgradeDomainTimeout, which is ${domain / 1000} s`,
    })
  }
  return faults
}
