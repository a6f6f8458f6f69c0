import type { Revision } from '../contracts/revision.ts'
import type { Configuration } from '../model/definition.ts'
import type { FailureReason, UpgradeMode } from '../model/states.ts'
import type { Anchor } from './anchor.ts'

export interface UpgradeRecord {
  operation: string
  /** Of the walk as it goes now; on the way back the rollback's. */
  mode: UpgradeMode
  direction: 'forward' | 'back'
  from: UpgradeEnd
  to: UpgradeEnd
  roles: Record<string, { from: string; to: string }>
  /** Roles that are not there at the `from` end: their instances are planned until their domain comes. */
  added: string[]
  /** Roles that are not there at the `to` end: they run until the last domain is verified. */
  removed: string[]
  /** Roles that have more or fewer instances at the `to` end; those added or removed too, from or to 0. */
  counts: Record<string, { from: number; to: number }>
  /** Domains with affected instances, in the order they are walked. */
  domains: number[]
  /** Index into `domains` of the one that is, or comes, next. */
  position: number
  /**
   * `removing`: all domains are done, what the end does not have goes. `halted`: a rollback that could not start an old
   * instance; nothing more moves until somebody decides.
   */
  phase: 'preparing' | 'waiting' | 'walking' | 'verifying' | 'removing' | 'halted'
  /** Domains that were down already, because of the walk whose place this one took: the first ones to be walked. */
  inFlight?: number[]
  /** It begins at its first domain although another may be down (Azure's way). */
  overlap?: boolean
  /** What the walk whose place it took left to do first: addresses to fit, instances that had gone and come back. */
  inherited?: { addresses: boolean; returned: string[] } | undefined
  /** The next domain waits for its roles' capacity floors; said once. */
  belowFloor?: true | undefined
  /** Since which revision the addresses that the end does not have are closed. */
  closing: Revision | null
  /** The operation that a finished domain ends: a walk in the manual modes. */
  walk: string | null
  clocks: UpgradeClocks
  walked: WalkedDomain[]
  /** Domains whose health check passed. */
  verified: number[]
  /** Why it failed, or was turned around. */
  failure: UpgradeFailure | null
  /** Instances that a gate without time-out waits for. */
  stuck: string[]
  /** What was in Error when it began, where the policy asks for that: keys of evaluations. */
  baseline: string[]
  /** The system sends traffic of its own, and undoes it on the first loss. */
  verify?: true | undefined
  /** Part of a swap: no hook is asked about it. */
  unasked?: true | undefined
}

/** One domain of a walk; moments of the wall clock. */
export interface WalkedDomain {
  domain: number
  startedAt: number
  /** All of it was there: from then on its health was looked at. */
  arrivedAt?: number | undefined
  endedAt: number | null
  instances: number
}

export interface UpgradeClocks {
  upgrade: Anchor
  domain: Anchor | null
  /** The one stopwatch of a domain's health checks; null before the first. */
  health: HealthClock | null
  /** While the deployment is suspended: what `upgrade` had come to; it stands still until the walk goes on. */
  pausedMs?: number | undefined
  /** Renewed while nothing else is journaled, so that a reboot finds how far the others had come. */
  beat: Anchor | null
}

export interface HealthClock {
  /** Milliseconds of watching: since the domain was there, from the wait on again after each flip. */
  elapsedMs: number
  /** What the last check found. */
  healthy: boolean
  /** When that was; null: nobody has looked since, and that time does not count. */
  at: Anchor | null
}

export interface UpgradeFailure {
  reason: FailureReason
  message: string
  at: number
  domain: number | null
}

export interface UpgradeEnd {
  package: string
  version: string
  label: string
  configuration: Configuration
  breaksData: boolean
}
