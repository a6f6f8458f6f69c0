import type { Moment } from '../../core/clock.ts'
import { own } from '../../core/own.ts'
import type { UpgradeMode } from '../../model/states.ts'
import { elapsedMs, startAnchor } from '../anchor.ts'
import type { Draft } from '../draft.ts'
import { isHeardOf, isReady } from '../instances.ts'
import type { RoleRecord, UpgradeRecord } from '../state.ts'

/** Clocks of the monitored mode in milliseconds (Service Fabric's parameters of the same names). */
const MONITORED_POLICY = {
  healthCheckWaitDurationMs: 0,
  healthCheckStableDurationMs: 10_000,
  healthCheckRetryTimeoutMs: 60_000,
} as const

/** Modes in which nothing happens until a walk is asked for. */
export function waitsForWalk(mode: UpgradeMode, position: number): boolean {
  return mode === 'manual' || (mode === 'unmonitored-manual' && position > 0)
}

/** A walk under way in words, and how it comes to an end. */
export function describeWalk({ mode, direction, position, phase, from, to }: UpgradeRecord): string {
  if (phase === 'halted')
    return `the rollback to ${from.version} could not start an old instance: a fresh \`vipswap upgrade\`, or \`vipswap rollback\` again`
  const back = direction === 'back'
  const what = back ? `the rollback to ${from.version}` : `the upgrade to ${to.version}`
  const end = waitsForWalk(mode, position) ? 'finish it with `vipswap walk`' : 'wait for it'
  return `${what} is not complete: ${end}${back ? '' : ', or `vipswap rollback`'}`
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
      const health = look(draft, roles, (role, spec) => own(upgrade.roles, role.name)?.to === spec)
      const waitFor = [...health.ill, ...health.unknown]
      return waitFor.length === 0 ? { kind: 'go' } : { kind: 'wait', reason: `${waitFor.join(', ')} to be ReadyRole` }
    }
    case 'monitored': {
      const health = look(draft, roles, () => true)
      // Silence is neither health nor sickness: no clock starts or ends on it.
      if (health.ill.length === 0 && health.unknown.length > 0) {
        return { kind: 'wait', reason: `word of ${health.unknown.join(', ')}` }
      }
      return judgeMonitored(draft, upgrade, health.ill)
    }
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
    // Each turn from healthy to ill gives the whole retry time again, as in Service Fabric's own loop.
    if (clocks.stable !== null) clocks.retry = startAnchor(now)
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

/**
 * The instances that are not ready, and those nothing was heard of since this controller started: what was journaled of
 * them says what peers were told, not how they are (design rule 2: what gates a step is asked again after a restart).
 */
function look(
  draft: Draft,
  roles: readonly Readonly<RoleRecord>[],
  counts: (role: Readonly<RoleRecord>, spec: string) => boolean,
): { ill: string[]; unknown: string[] } {
  const ill: string[] = []
  const unknown: string[] = []
  for (const role of roles) {
    for (const instance of role.instances) {
      // What is on its way out is neither.
      if (instance.next === 'remove' || !counts(role, instance.spec)) continue
      if (!isHeardOf(draft, role.deployment, instance)) unknown.push(instance.id)
      else if (!isReady(instance)) ill.push(instance.id)
    }
  }
  return { ill, unknown }
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
