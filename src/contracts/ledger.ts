/** Why a request that reached the proxy was not answered whole by an instance. */
export const BROKEN_CAUSES = [
  'connect-failed', // no instance could be reached
  'upstream-closed', // the instance closed or reset before its answer was whole
  'bad-response', // the answer broke RFC 9112
  'timeout', // the instance was too slow
  'hold-expired', // waited, for a ready instance or a free one, for longer than holdTimeout
  'hold-full', // more waited than holdMax, holdBytes or a pool's maxQueue
  'no-instance', // nothing ready and nothing expected, in a slot that is occupied
  'drain-deadline', // cut at the end of a planned drain
  'proxy-died',
  'internal',
] as const
export type BrokenCause = (typeof BROKEN_CAUSES)[number]

/**
 * Cumulative counts of one proxy incarnation. `arrived` counts where the request was first given a choice (deployment
 * and version empty if it had none, for example while held); the other counts where it ended. Summed over the rows of one
 * VIP: arrived = answered + refused + clientGone + Σ broken + open.
 */
export interface LedgerRow {
  /** A listener's key. */
  readonly vip: string
  readonly deployment: string
  readonly version: string
  readonly arrived: number
  /** Answered by an instance, whole. */
  readonly answered: number
  /** Answered by the proxy itself with a 4xx, or 503 from an empty or suspended slot. */
  readonly refused: number
  /** The client left first. */
  readonly clientGone: number
  /** Waited for an instance to be ready or free; not again if it waited twice. */
  readonly held: number
  readonly heldMaxMs: number
  readonly replayed: number
  readonly broken: Readonly<Partial<Record<BrokenCause, number>>>
}

export interface LedgerSnapshot {
  /** The proxy incarnation that counted. */
  readonly incarnation: string
  readonly rows: readonly LedgerRow[]
}
