import type { PlaneReadings } from '../../src/contracts/plane-metrics.ts'
import type { Revision } from '../../src/contracts/revision.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import type { LedgerNews } from '../ledger/ledger.ts'

// What holder and worker say to each other over the IPC channel; it keeps their order.

export type ToWorker =
  /** Keys of TLS session tickets, base64; the first come before the first table. */
  | { readonly type: 'ticket-keys'; readonly keys: string }
  /** The table becomes current at once. */
  | { readonly type: 'apply'; readonly table: RoutingTable }
  /** The table that the next `prepare` means; so that nobody waits while it is sent and read. */
  | { readonly type: 'stage'; readonly table: RoutingTable }
  /** First level: hold what arrives, answer `prepared`. */
  | { readonly type: 'prepare'; readonly attempt: number }
  /** Second level: what was staged becomes current, what was held goes on. */
  | { readonly type: 'commit' }
  /** Instead of the second level: the table stays as it was, what was held goes on. */
  | { readonly type: 'abort' }
  /** Comes with the bound handle to listen on. */
  | { readonly type: 'listen'; readonly address: string }
  | { readonly type: 'unlisten'; readonly address: string }
  /** Comes with a client's connection that another process gave away between two requests. */
  | { readonly type: 'connection'; readonly address: string }
  /** A successor serves: accept no more, give away what stands between two requests, end within `deadlineMs`. */
  | { readonly type: 'leave'; readonly deadlineMs: number }
  /** To `left`: no connection comes after this. */
  | { readonly type: 'bye' }
  /** Answer `synced` once everything said before is done. */
  | { readonly type: 'sync'; readonly id: number }
  | { readonly type: 'stop'; readonly deadlineMs: number }

export interface WorkerStatus {
  readonly revision: Revision
  readonly inFlight: Readonly<Record<string, number>>
  /** Since the last status: the channel loses nothing. */
  readonly ledger: LedgerNews
}

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'prepared'; readonly attempt: number }
  /** After `commit`: for how long arriving requests were held, in milliseconds. */
  | { readonly type: 'released'; readonly heldMs: number }
  /** Comes with a connection for the successor. */
  | { readonly type: 'moved'; readonly address: string }
  /** Nothing is left here; it ends once it has heard `bye`. */
  | { readonly type: 'left' }
  | { readonly type: 'listen-failed'; readonly address: string; readonly code: string }
  /** It had stopped listening for want of descriptors, and asks for every handle again. */
  | { readonly type: 'listen-again' }
  | { readonly type: 'synced'; readonly id: number; readonly status: WorkerStatus }
  | { readonly type: 'metrics'; readonly readings: PlaneReadings }
  /** `urgent`: a draining target has just reached zero. */
  | { readonly type: 'status'; readonly status: WorkerStatus; readonly urgent: boolean }
