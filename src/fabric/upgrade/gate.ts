import type { Moment } from '../../core/clock.ts'
import type { UpgradeMode } from '../../model/states.ts'
import { elapsedMs, startAnchor } from '../anchor.ts'
import type { Draft } from '../draft.ts'
import { isReady } from '../instances.ts'
import type { RoleRecord, UpgradeRecord } from '../state.ts'

/** Clocks of the monitored mode in milliseconds (Service Fabric's parameters of the same names). */
export const MONITORED_POLICY = {
  healthCheckWaitDurationMs: 0,
  healthCheckStableDurationMs: 10_000,
  healthCheckRetryTimeoutMs: 60_000,
} as const

/** Modes in which nothing happens until a walk is asked for. */
export function waitsForWalk(mode: UpgradeMode, position: number): boolean {
  return mode === 'manual' || (mode === 'unmonitored-manual' && position > 0)
}

export type Verdict = { kind: 'go' } | { kind: 'wait'; reason: string } | { kind: 'fail'; reason: string }

/**
 * May the walk leave the domain whose instances are all started? Called each time something changed; keeps the clocks in
 * `upgrade`. Cloud Services (`auto`, `manual`): every instance on the new version ready. Service Fabric (`monitored`):
 * the whole deployment healthy, without a break, for the stable duration, within the retry time-out.
 */
export function judge(draft: Draft, upgrade: UpgradeRecord, roles: readonly Readonly<RoleRecord>[]): Verdict {
  if (upgrade.direction === 'back') return { kind: 'go' }
  switch (upgrade.mode) {
    case 'unmonitored-auto':
    case 'unmonitored-manual':
      return { kind: 'go' }
    case 'auto':
    case 'manual':
    case 'simultaneous': {
      const ill = notReady(roles, (role, spec) => upgrade.roles[role.name]?.to === spec)
      return ill.length === 0 ? { kind: 'go' } : { kind: 'wait', reason: `${ill.join(', ')} to be ReadyRole` }
    }
    case 'monitored':
      return judgeMonitored(
        draft,
        upgrade,
        notReady(roles, () => true),
      )
  }
}

function judgeMonitored(draft: Draft, upgrade: UpgradeRecord, ill: readonly string[]): Verdict {
  const { clocks } = upgrade
  const { now } = draft
  clocks.wait ??= startAnchor(now)
  if (elapsedMs(clocks.wait, now) < MONITORED_POLICY.healthCheckWaitDurationMs)
    return { kind: 'wait', reason: 'the health check to begin' }
  clocks.retry ??= startAnchor(now)
  if (ill.length > 0) {
    clocks.stable = null
    if (elapsedMs(clocks.retry, now) >= MONITORED_POLICY.healthCheckRetryTimeoutMs) {
      return { kind: 'fail', reason: `${ill.join(', ')} not ready within the health check's retry time-out` }
    }
    return { kind: 'wait', reason: `${ill.join(', ')} to be ReadyRole` }
  }
  clocks.stable ??= startAnchor(now)
  if (elapsedMs(clocks.stable, now) < MONITORED_POLICY.healthCheckStableDurationMs) {
    return { kind: 'wait', reason: 'the deployment to stay healthy for the stable duration' }
  }
  return { kind: 'go' }
}

function notReady(
  roles: readonly Readonly<RoleRecord>[],
  counts: (role: Readonly<RoleRecord>, spec: string) => boolean,
): string[] {
  return roles.flatMap(role =>
    role.instances.filter(instance => counts(role, instance.spec) && !isReady(instance)).map(instance => instance.id),
  )
}

/** Milliseconds until a clock of this upgrade is due, or null. */
export function upgradeDueInMs(upgrade: UpgradeRecord, now: Moment): number | null {
  if (upgrade.mode !== 'monitored' || upgrade.phase !== 'verifying') return null
  const { wait, stable, retry } = upgrade.clocks
  const left = [
    wait === null ? 0 : MONITORED_POLICY.healthCheckWaitDurationMs - elapsedMs(wait, now),
    stable === null ? null : MONITORED_POLICY.healthCheckStableDurationMs - elapsedMs(stable, now),
    retry === null ? null : MONITORED_POLICY.healthCheckRetryTimeoutMs - elapsedMs(retry, now),
  ].filter(ms => ms !== null && ms > 0)
  return left.length === 0 ? null : Math.min(...(left as number[])) // nulls were filtered out
}
