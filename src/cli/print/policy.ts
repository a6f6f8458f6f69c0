import { formatDuration } from '../../core/duration.ts'
import type { UpgradeMode } from '../../model/states.ts'
import type { UpgradePolicy } from '../../model/upgrade-policy.ts'

/** The part of a policy that a mode looks at, on one line. */
export function policyText(policy: UpgradePolicy, mode: UpgradeMode): string {
  if (mode === 'unmonitored-auto' || mode === 'unmonitored-manual') return 'no health checks'
  if (mode !== 'monitored') {
    return `${policy.minReadyPercent} % of the new instances of each role ready, a start that timed out: ${policy.onStartTimeout}`
  }
  const limit = (ms: number | null): string => (ms === null ? 'none' : formatDuration(ms))
  return [
    `wait ${formatDuration(policy.healthCheckWaitDurationMs)}`,
    `stable ${formatDuration(policy.healthCheckStableDurationMs)}`,
    `retry ${formatDuration(policy.healthCheckRetryTimeoutMs)}`,
    `every ${formatDuration(policy.healthCheckIntervalMs)}`,
    `domain ${limit(policy.upgradeDomainTimeoutMs)}`,
    `whole ${limit(policy.upgradeTimeoutMs)}`,
    `at most ${policy.maxPercentUnhealthy} % unhealthy`,
    `then ${policy.failureAction}`,
  ].join(', ')
}
