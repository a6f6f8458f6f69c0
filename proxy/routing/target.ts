import type { Pool, Target } from '../../src/contracts/routing.ts'
import type { Row } from '../ledger/ledger.ts'

/** Something in flight on a target that a drain may have to end. */
export interface InFlight {
  /** Before the drain's deadline: end it if the client can be told to come back (a WebSocket, an event stream). */
  endEarly(): void
  /** The drain's deadline has come: end what can be ended in good order (tunnels too). */
  endOrderly(): void
  /** No more waiting. */
  cut(cause: 'drain-deadline' | 'upstream-closed'): void
}

/** An idle or busy connection to a target, as far as retiring needs to know. */
export interface Retirable {
  readonly retireAt: number
  retire(): void
}

/**
 * What the data plane knows of one start of one process. Lives as long as a table or a request knows it, across tables,
 * so its counts are exact over swaps.
 */
export class TargetState {
  readonly key: string
  readonly instance: string
  readonly version: string
  readonly deployment: string
  readonly host: string
  readonly port: number
  /** `gone`: no table names it any more. */
  state: 'in' | 'draining' | 'gone' = 'in'
  /** When the drain ends, on the monotonic clock; Infinity while not draining. */
  drainDeadline = Infinity
  /** From when on those who can come back are told to go, one after the other; Infinity while not draining. */
  drainTellFrom = Infinity
  orderlyEndBegun = false
  /** Not chosen before this moment if there is another: it refused a connection. */
  suspectUntil = 0
  /** Requests and tunnels, each counted in the same step in which this target was chosen for it. */
  inFlight = 0
  /** Most recently used last. */
  readonly idle: Retirable[] = []
  readonly open = new Set<InFlight>()
  /** The row last counted in: nearly always the right one. */
  lastRow: Row | null = null

  constructor(target: Target, pool: Pool) {
    this.key = target.key
    this.instance = target.instance
    this.version = target.version
    this.deployment = pool.deployment
    this.host = target.host
    this.port = target.port
  }

  retireIdle(): void {
    for (const connection of this.idle.splice(0)) connection.retire()
  }
}
