import { createHash } from 'node:crypto'
import type { Target } from '../../src/contracts/routing.ts'
import type { Row } from '../ledger/ledger.ts'
import { IdleList, type Retirable } from './idle-list.ts'
import { OpenList, type Listed } from './open-list.ts'
import type { PoolState } from './pool-state.ts'

/** Something in flight on a target that a drain may have to end. */
export interface InFlight extends Listed {
  /** Before the drain's deadline: end it if the client can be told to come back (a WebSocket, an event stream). */
  endEarly(): void
  /** The drain's deadline has come: end what can be ended in good order (tunnels too). */
  endOrderly(): void
  /** No more waiting. */
  cut(cause: 'drain-deadline' | 'upstream-closed'): void
}

/** Less than this is no share at all. */
const MIN_WEIGHT = 1e-3

/**
 * What the data plane knows of one start of one process at one of its endpoints. Lives as long as a table or a request
 * knows it, across tables, so its counts are exact over swaps. All times are monotonic milliseconds.
 */
export class TargetState {
  readonly key: string
  readonly instance: string
  readonly version: string
  readonly deployment: string
  readonly host: string
  readonly port: number
  readonly pool: PoolState
  /** Names the instance, not its start, to a client that stays with it; tells nothing of addresses or names. */
  readonly token: string
  /** The same as a number, for choosing by a client's address. */
  readonly hash: number
  readonly backend: 'h1' | 'h2c'
  /** `gone`: no table names it any more. */
  state: 'in' | 'draining' | 'gone' = 'in'
  /** When the drain ends, on the monotonic clock; Infinity while not draining. */
  drainDeadline = Infinity
  /** From when on those who can come back are told to go, one after the other; Infinity while not draining. */
  drainTellFrom = Infinity
  orderlyEndBegun = false
  /** Requests and tunnels, each counted in the same step in which this target was chosen for it. */
  inFlight = 0
  /** No more than this at once now: `limit`, or less while a line of held requests is let go. */
  cap = Infinity
  /** No more than this at once ever, by its pool's policy. */
  limit = Infinity
  /** Passed over until then if there is another; 0: not. Past: one request may try it. */
  avoidUntil = 0
  /** It refused a connection and took none since: until then nobody who waits tries it, then one does. 0: it did not. */
  refusedUntil = 0
  /** Failures in a row. */
  failures = 0
  /** Passed over for its failures (outliers.ts), not only for one refused connection. */
  ejected = false
  ejectedMs = 0
  readmittedAt = 0
  /** Requests under way that were given it although it is passed over: to try it, or because there is no other. */
  trials = 0
  /** Its share grows until then, for `rampMs` in all; 0: it has its full share. */
  rampUntil = 0
  rampMs = 0
  /** What it is owed in a round of turns. */
  turn = 0
  readonly idle: IdleList
  /** Sessions of HTTP/2 that take, or will take, requests; only with h2c. One without requests is in `idle` too. */
  readonly sessions: Retirable[] = []
  readonly open = new OpenList<InFlight>()
  /** The row last counted in: nearly always the right one. */
  lastRow: Row | null = null
  #weight = 1

  constructor(target: Target, pool: PoolState) {
    this.key = target.key
    this.instance = target.instance
    this.version = target.version
    this.deployment = pool.deployment
    this.host = target.host
    this.port = target.port
    this.pool = pool
    this.backend = pool.policy.backend
    this.idle = new IdleList(pool.idle)
    this.weight = target.weight
    this.token = createHash('sha256').update(`${pool.deployment}\n${target.instance}`).digest('hex').slice(0, 16)
    this.hash = Number.parseInt(this.token.slice(0, 8), 16)
  }

  /** Its full share of the pool's requests, relative to others; above 0. */
  get weight(): number {
    return this.#weight
  }

  set weight(weight: number) {
    this.#weight = weight > MIN_WEIGHT ? weight : MIN_WEIGHT
  }

  /** Its share of the pool's requests at `now`. */
  weightAt(now: number): number {
    if (now >= this.rampUntil) return this.#weight
    return this.#weight * Math.max(RAMP_START, 1 - (this.rampUntil - now) / this.rampMs)
  }

  /** Gives it a growing share from `now` on, for `ms`. */
  ramp(now: number, ms: number): void {
    this.rampUntil = now + ms
    this.rampMs = ms
    if (ms > 0 && this.pool.rampUntil < this.rampUntil) this.pool.rampUntil = this.rampUntil
  }
}

/** The part of its share that an instance begins with. */
const RAMP_START = 0.1
