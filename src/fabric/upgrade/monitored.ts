import type { FailureReason } from '../../model/states.ts'
import { elapsedMs, startAnchor } from '../anchor.ts'
import type { Draft } from '../draft.ts'
import { evaluateHealth, type Health } from '../health/evaluate.ts'
import { judgeLedger } from '../health/ledger-gate.ts'
import { healthOf } from '../health/report.ts'
import { isHeardOf } from '../seen.ts'
import type { DeploymentRecord } from '../state.ts'
import type { HealthClock, UpgradeRecord } from '../upgrade-record.ts'
import { beat, hasPassed, isCheckDue } from './clocks.ts'
import type { Verdict } from './verdict.ts'

/** One turn of the loop: what it looks at, each thing at most once. */
class Turn {
  readonly draft: Draft
  readonly deployment: Readonly<DeploymentRecord>
  readonly upgrade: UpgradeRecord
  #health: Health | null = null

  constructor(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord) {
    this.draft = draft
    this.deployment = deployment
    this.upgrade = upgrade
  }

  get policy() {
    return this.deployment.policy
  }

  get clock(): HealthClock {
    return (this.upgrade.clocks.health ??= { elapsedMs: 0, healthy: false, at: null })
  }

  /** Ok and Warning both are healthy. */
  get healthy(): boolean {
    return this.health.state !== 'Error'
  }

  get health(): Health {
    this.#health ??= upgradeHealth(this.draft, this.deployment, this.upgrade)
    return this.#health
  }

  /** Instances nothing was heard of since this controller started, in words; '' if there are none. */
  get unheard(): string {
    const { id } = this.deployment
    return this.draft
      .rolesOf(id)
      .flatMap(role =>
        role.instances.filter(
          instance =>
            instance.stage !== 'planned' && instance.next !== 'remove' && !isHeardOf(this.draft, id, instance),
        ),
      )
      .map(instance => instance.id)
      .join(', ')
  }
}

/** The whole deployment, each completed domain (the one just walked among them), and the gates on the ledger. */
function upgradeHealth(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): Health {
  const roles = draft.rolesOf(deployment.id)
  const completed = completedDomains(upgrade)
  const { policy, id } = deployment
  const health = evaluateHealth(healthOf(draft), {
    deployment: id,
    roles,
    policy,
    completed,
    baseline: upgrade.baseline,
  })
  const found = judgeLedger(draft, upgrade, roles, policy.gates)
  return found.length === 0 ? health : { ...health, state: 'Error', evaluations: [...found, ...health.evaluations] }
}

/** Those walked, and the one that waits for its verdict. */
export function completedDomains({ domains, position, phase }: UpgradeRecord): number[] {
  return domains.slice(0, phase === 'verifying' ? position + 1 : position)
}

type Step =
  | { readonly ask: string; readonly is: (turn: Turn) => boolean; readonly yes: string; readonly no: string }
  | { readonly act: string; readonly run: (turn: Turn) => void; readonly next: string }
  | { readonly end: string; readonly fails?: FailureReason }

/**
 * Service Fabric's loop over one domain (ProcessUpgradeContextAsyncOperationBase, `CheckHealth`), as a table of steps:
 * the rules run it, and the chart in docs/upgrades.md is compared with it. A domain's time-out goes before the whole's; a
 * turn from health to sickness or back puts the one stopwatch to the end of the wait, so both windows begin again.
 * Ours alone is `heard`: after a restart silence is neither health nor sickness.
 */
export const MONITORED_LOOP = {
  domainTimeout: {
    ask: 'has the domain taken upgradeDomainTimeout?',
    is: ({ upgrade, policy, draft }) => hasPassed(upgrade.clocks.domain, policy.upgradeDomainTimeoutMs, draft.now),
    yes: 'failDomain',
    no: 'overallTimeout',
  },
  overallTimeout: {
    ask: 'has the upgrade taken upgradeTimeout?',
    is: ({ upgrade, policy, draft }) => hasPassed(upgrade.clocks.upgrade, policy.upgradeTimeoutMs, draft.now),
    yes: 'failOverall',
    no: 'arrived',
  },
  arrived: {
    ask: 'is every instance of the domain there?',
    is: ({ upgrade }) => upgrade.phase === 'verifying',
    yes: 'due',
    no: 'again',
  },
  due: {
    ask: 'is a check due?',
    is: ({ upgrade, policy, draft }) => isCheckDue(upgrade.clocks.health, policy, draft.now),
    yes: 'heard',
    no: 'again',
  },
  heard: {
    ask: 'was every instance heard of, or is it ill already?',
    is: turn => turn.unheard === '' || !turn.healthy,
    yes: 'stopwatch',
    no: 'silence',
  },
  silence: {
    act: 'the stopwatch stands still',
    run: turn => {
      turn.clock.at = null
    },
    next: 'again',
  },
  stopwatch: {
    act: 'the stopwatch goes on',
    run: ({ clock, draft }) => {
      clock.elapsedMs += clock.at === null ? 0 : elapsedMs(clock.at, draft.now)
      clock.at = startAnchor(draft.now)
    },
    next: 'waited',
  },
  waited: {
    ask: 'is healthCheckWaitDuration over?',
    is: ({ clock, policy }) => clock.elapsedMs >= policy.healthCheckWaitDurationMs,
    yes: 'flipped',
    no: 'again',
  },
  flipped: {
    ask: 'is health other than at the last check?',
    is: ({ clock, healthy }) => healthy !== clock.healthy,
    yes: 'restart',
    no: 'healthy',
  },
  restart: {
    act: 'the stopwatch goes back to the end of the wait',
    run: turn => {
      turn.clock.elapsedMs = turn.policy.healthCheckWaitDurationMs
      turn.clock.healthy = turn.healthy
    },
    next: 'healthy',
  },
  healthy: { ask: 'is it healthy?', is: ({ healthy }) => healthy, yes: 'stable', no: 'retry' },
  stable: {
    ask: 'for healthCheckStableDuration?',
    is: ({ clock, policy }) => clock.elapsedMs >= policy.healthCheckWaitDurationMs + policy.healthCheckStableDurationMs,
    yes: 'verified',
    no: 'again',
  },
  retry: {
    ask: 'ill for healthCheckRetryTimeout?',
    is: ({ clock, policy }) => clock.elapsedMs >= policy.healthCheckWaitDurationMs + policy.healthCheckRetryTimeoutMs,
    yes: 'failHealth',
    no: 'again',
  },
  verified: { end: 'verified: the next domain' },
  again: { end: 'wait an interval' },
  failDomain: { end: 'fails: UpgradeDomainTimeout', fails: 'UpgradeDomainTimeout' },
  failOverall: { end: 'fails: OverallUpgradeTimeout', fails: 'OverallUpgradeTimeout' },
  failHealth: { end: 'fails: HealthCheck', fails: 'HealthCheck' },
} as const satisfies Readonly<Record<string, Step>>

const STEPS: Readonly<Record<string, Step>> = MONITORED_LOOP

function run(turn: Turn): Verdict {
  let name = 'domainTimeout'
  // Each step leads to a later one.
  for (;;) {
    const step = STEPS[name]
    if (step === undefined) throw new Error(`the monitored loop has no step ${name}`)
    if ('ask' in step) name = step.is(turn) ? step.yes : step.no
    else if ('act' in step) {
      step.run(turn)
      name = step.next
    } else if (step.fails !== undefined) {
      return { kind: 'fail', reason: step.fails, message: describeFailure(turn, step.fails) }
    } else return { kind: name === 'verified' ? 'go' : 'wait' }
  }
}

function describeFailure({ upgrade, policy, health }: Turn, reason: FailureReason): string {
  const why = health.evaluations
    .filter(({ state }) => state === 'Error')
    .slice(0, 5)
    .map(({ instance, description }) => (instance === undefined ? description : `${instance}: ${description}`))
    .join('; ')
  const last = why === '' ? '' : ` (${why})`
  const domain = upgrade.domains[upgrade.position] ?? 0
  switch (reason) {
    case 'UpgradeDomainTimeout':
      return `domain ${domain} took ${seconds(policy.upgradeDomainTimeoutMs)}${last}`
    case 'OverallUpgradeTimeout':
      return `the upgrade took ${seconds(policy.upgradeTimeoutMs)}${last}`
    case 'HealthCheck':
    case 'Interrupted':
    case 'Hook':
    case 'Verify':
      return `unhealthy after domain ${domain} for ${seconds(policy.healthCheckRetryTimeoutMs)}: ${why}`
  }
}

function seconds(ms: number | null): string {
  return `${(ms ?? 0) / 1000} s`
}

export function judgeMonitored(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): Verdict {
  return run(new Turn(draft, deployment, upgrade))
}

/** The time-outs alone, for what comes before the check of a domain. */
export function overdue(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): Verdict {
  beat(upgrade, deployment.policy, draft.now)
  // With every domain done there is nothing left to time.
  if (upgrade.position >= upgrade.domains.length) return { kind: 'go' }
  return upgrade.phase === 'verifying' ? { kind: 'go' } : run(new Turn(draft, deployment, upgrade))
}
