import { beginDrain, endDrain } from './drain.ts'
import type { Pool, PoolPolicy, Target } from '../../src/contracts/routing.ts'
import { endPacing, pace } from '../balancing/pacing.ts'
import { RetryBudget } from '../balancing/retry-budget.ts'
import { shareOf } from '../balancing/share.ts'
import { IdleCount } from './idle-list.ts'
import { WaitingLine, type LineOwner } from '../hold/waiting-line.ts'
import type { CompiledPool } from './snapshot.ts'
import { TargetState } from './target.ts'

/** What has happened in a pool since this worker knows it; every count only grows. */
export interface PoolCounts {
  /** Instances passed over for their failures. */
  ejections: number
  /** Not passed over, since the pool's share of such instances was used up. */
  ejectionsDenied: number
  readmissions: number
  /** Requests given to a passed-over instance because every ready one is passed over. */
  ejectedAll: number
  /** Requests that waited because nothing was ready. */
  held: number
  /** Requests that waited because every instance was busy. */
  queued: number
  /** Answered 503: too many waited already, for want of a ready instance or of a free one. */
  holdFull: number
  queueFull: number
  /** Answered 503 after having waited for holdTimeout. */
  waitExpired: number
  /** Requests given to another instance after a failure. */
  retries: number
  /** Not given to another instance: the budget was used up. */
  retriesDenied: number
  /** Answers of another instance than the client's cookie named. */
  affinityMoved: number
}

/** Counts and gauges of one pool in one worker. */
export interface PoolReport extends Readonly<PoolCounts> {
  readonly key: string
  readonly service: string
  readonly deployment: string
  readonly role: string
  readonly endpoint: string
  readonly ready: number
  readonly ejected: number
  readonly waiting: number
  readonly waitingBytes: number
}

/** What the data plane knows of a pool across tables. */
export class PoolState implements LineOwner {
  readonly key: string
  readonly deployment: string
  /** How many workers of this proxy there are, each with its own state of the pool. */
  readonly workers: number
  readonly targets = new Map<string, TargetState>()
  readonly line = new WaitingLine()
  readonly isPause = false
  /** Idle connections to targets of this pool, and of all that share the count. */
  readonly idle: IdleCount
  readonly budget = new RetryBudget()
  readonly counts: PoolCounts = {
    ejections: 0,
    ejectionsDenied: 0,
    readmissions: 0,
    ejectedAll: 0,
    held: 0,
    queued: 0,
    holdFull: 0,
    queueFull: 0,
    waitExpired: 0,
    retries: 0,
    retriesDenied: 0,
    affinityMoved: 0,
  }
  policy: PoolPolicy
  /** Targets in state `in` of the table now current. */
  ready: readonly TargetState[] = []
  /** The last growing share is full then, on the monotonic clock. */
  rampUntil = 0
  /** Requests that were held are being let go little by little (pacing.ts). */
  pacing = false
  #pool: Pool

  constructor(pool: Pool, workers = 1, idle = new IdleCount()) {
    this.idle = idle
    this.workers = workers
    this.key = pool.key
    this.deployment = pool.deployment
    this.policy = pool.policy
    this.#pool = pool
  }

  // LineOwner

  get isBusy(): boolean {
    return this.ready.length > 0 && !this.pacing
  }

  emptied(): void {
    if (this.pacing) endPacing(this)
  }

  expired(): void {
    this.counts.waitExpired++
  }

  // Tables

  /** The lasting state of a target: the known one or a new one. */
  targetFor(target: Target): TargetState {
    let state = this.targets.get(target.key)
    if (state === undefined) {
      state = new TargetState(target, this)
      this.targets.set(target.key, state)
    }
    return state
  }

  /** Takes over what the table now current says. */
  follow({ pool, ready }: CompiledPool, now: number): void {
    const { maxConcurrent } = pool.policy
    const limit = maxConcurrent === null ? Infinity : shareOf(maxConcurrent, this.workers)
    const before = this.ready
    this.ready = ready
    this.policy = pool.policy
    this.#pool = pool
    for (const target of pool.targets) {
      const state = this.targetFor(target)
      state.weight = target.weight
      state.limit = limit
      const isNew = target.state === 'in' && !before.includes(state)
      pace(state, isNew)
      if (pool.policy.ejection === null && state.ejected) {
        state.ejected = false
        state.avoidUntil = 0
      }
      // Not where the whole pool is new: nobody else could take the rest of its share.
      if (isNew && before.length > 0) state.ramp(now, pool.policy.slowStartMs)
      this.#follow(state, target, now)
    }
  }

  report(): PoolReport {
    const { key, service, deployment, role, endpoint } = this.#pool
    let ejected = 0
    for (const target of this.ready) if (target.ejected) ejected++
    return {
      ...this.counts,
      key,
      service,
      deployment,
      role,
      endpoint,
      ready: this.ready.length,
      ejected,
      waiting: this.line.count,
      waitingBytes: this.line.bytes,
    }
  }

  #follow(state: TargetState, target: Target, now: number): void {
    state.state = target.state
    if (target.state === 'in') endDrain(state)
    else beginDrain(state, now, target.drainMs ?? this.#pool.drainTimeoutMs)
  }
}
