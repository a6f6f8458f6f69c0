import type { UpgradeClockView } from '../../contracts/api/upgrade-clock.ts'
import type { Moment } from '../../core/clock.ts'
import { elapsedMs, type Anchor } from '../../fabric/anchor.ts'
import type { UpgradeRecord } from '../../fabric/upgrade-record.ts'
import type { UpgradePolicy } from '../../model/upgrade-policy.ts'

/** The clocks of a monitored upgrade on its way; none in other modes and on the way back, where nothing is timed. */
export function viewClocks(upgrade: UpgradeRecord, policy: UpgradePolicy, now: Moment): UpgradeClockView[] {
  if (upgrade.mode !== 'monitored' || upgrade.direction === 'back') return []
  const timeout = (name: 'domain' | 'upgrade', anchor: Anchor | null, limitMs: number | null): UpgradeClockView => ({
    name,
    elapsedMs: anchor === null ? 0 : elapsedMs(anchor, now),
    limitMs,
    running: anchor !== null,
  })
  return [
    ...(upgrade.phase === 'verifying' ? [stopwatch(upgrade, policy, now)] : []),
    timeout('domain', upgrade.clocks.domain, policy.upgradeDomainTimeoutMs),
    timeout('upgrade', upgrade.clocks.upgrade, policy.upgradeTimeoutMs),
  ]
}

/** Which of its three windows the stopwatch is in: it goes on between two checks, as the next one will count. */
function stopwatch({ clocks: { health } }: UpgradeRecord, policy: UpgradePolicy, now: Moment): UpgradeClockView {
  const waitMs = policy.healthCheckWaitDurationMs
  if (health === null) return { name: 'wait', elapsedMs: 0, limitMs: waitMs, running: false }
  const elapsed = health.elapsedMs + (health.at === null ? 0 : elapsedMs(health.at, now))
  const running = health.at !== null
  if (elapsed < waitMs) return { name: 'wait', elapsedMs: elapsed, limitMs: waitMs, running }
  const limitMs = health.healthy ? policy.healthCheckStableDurationMs : policy.healthCheckRetryTimeoutMs
  return {
    name: health.healthy ? 'stable' : 'retry',
    elapsedMs: Math.min(elapsed - waitMs, limitMs),
    limitMs,
    running,
  }
}
