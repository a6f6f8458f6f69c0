import type { Moment } from '../../core/clock.ts'
import type { UpgradePolicy } from '../../model/upgrade-policy.ts'
import { elapsedMs, rebase, startAnchor, type Anchor } from '../anchor.ts'
import type { DeploymentRecord } from '../state.ts'
import type { HealthClock, UpgradeClocks, UpgradeRecord } from '../upgrade-record.ts'

/** How often a gate without time-out looks again though nothing was reported (Cloud Services). */
const RECHECK_MS = 5000
/** How much of an elapsed time a reboot may cost. */
const BEAT_MS = 10_000

export function freshClocks(now: Moment): UpgradeClocks {
  return { upgrade: startAnchor(now), domain: null, health: null, beat: null }
}

/**
 * After a restart of the controller (design rule 1): what a domain and the whole have taken is kept, also over a reboot;
 * the time in which nobody looked counts neither for health nor against it, and after a reboot the check begins anew.
 */
export function rebaseUpgrade(clocks: UpgradeClocks, now: Moment, last: Moment | null): void {
  const rebooted = clocks.upgrade.bootId !== now.bootId
  clocks.upgrade = rebase(clocks.upgrade, now, last)
  clocks.domain = clocks.domain === null ? null : rebase(clocks.domain, now, last)
  clocks.beat = clocks.beat === null ? null : rebase(clocks.beat, now)
  if (rebooted) clocks.health = null
  else if (clocks.health !== null) clocks.health.at = null
}

/**
 * A suspended deployment is not being upgraded, so its upgrade's clock stands still (Service Fabric: an upgrade's duration
 * is the time spent processing it, and a domain's is 0 while it waits for its operator); a domain begins anew.
 */
export function pauseClocks(upgrade: UpgradeRecord, now: Moment): void {
  const { pausedMs = elapsedMs(upgrade.clocks.upgrade, now) } = upgrade.clocks
  upgrade.clocks = { upgrade: upgrade.clocks.upgrade, domain: null, health: null, beat: null, pausedMs }
}

/** The walk goes on. */
export function resumeClocks(upgrade: UpgradeRecord, now: Moment): void {
  const { pausedMs, ...clocks } = upgrade.clocks
  if (pausedMs !== undefined) upgrade.clocks = { ...clocks, upgrade: { ...startAnchor(now), carriedMs: pausedMs } }
}

export function hasPassed(anchor: Anchor | null, limitMs: number | null, now: Moment): boolean {
  return anchor !== null && limitMs !== null && elapsedMs(anchor, now) >= limitMs
}

/** Is a health check due? */
export function isCheckDue(clock: HealthClock | null, policy: UpgradePolicy, now: Moment): boolean {
  return clock === null || clock.at === null || elapsedMs(clock.at, now) >= checkInMs(clock, policy)
}

/** Milliseconds from the last check to the next. Those during the wait would look at nothing, so they are left out. */
function checkInMs({ elapsedMs: elapsed }: HealthClock, policy: UpgradePolicy): number {
  const interval = policy.healthCheckIntervalMs
  const wait = policy.healthCheckWaitDurationMs - elapsed
  return Math.max(1, Math.ceil(wait / interval)) * interval
}

/** Lets the elapsed part of limited time be journaled now and then while nothing else is. */
export function beat(upgrade: UpgradeRecord, policy: UpgradePolicy, now: Moment): void {
  if (!isTimed(upgrade, policy)) return
  if (upgrade.clocks.beat === null || elapsedMs(upgrade.clocks.beat, now) >= BEAT_MS) {
    upgrade.clocks.beat = startAnchor(now)
  }
}

function isTimed(upgrade: UpgradeRecord, policy: UpgradePolicy): boolean {
  return (
    upgrade.direction === 'forward' &&
    upgrade.mode === 'monitored' &&
    (policy.upgradeDomainTimeoutMs !== null || policy.upgradeTimeoutMs !== null)
  )
}

/** Milliseconds until a clock of this deployment's upgrade is due, or null. */
export function upgradeDueInMs({ upgrade, policy }: Readonly<DeploymentRecord>, now: Moment): number | null {
  if (upgrade === null || upgrade.direction === 'back' || upgrade.clocks.pausedMs !== undefined) return null
  const { clocks } = upgrade
  const left: number[] = []
  if (upgrade.mode === 'monitored') {
    const until = (anchor: Anchor | null, limitMs: number | null): void => {
      if (anchor !== null && limitMs !== null) left.push(limitMs - elapsedMs(anchor, now))
    }
    until(clocks.domain, policy.upgradeDomainTimeoutMs)
    until(clocks.upgrade, policy.upgradeTimeoutMs)
    if (isTimed(upgrade, policy)) until(clocks.beat, BEAT_MS)
    if (upgrade.phase === 'verifying' && clocks.health !== null) {
      until(clocks.health.at, checkInMs(clocks.health, policy))
    }
  } else if (upgrade.phase === 'verifying' && upgrade.stuck.length > 0) {
    left.push(RECHECK_MS)
  }
  const ahead = left.filter(ms => ms > 0)
  return ahead.length === 0 ? null : Math.min(...ahead)
}
