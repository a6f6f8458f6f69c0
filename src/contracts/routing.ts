import type { Slot } from '../model/common.ts'
import type { Revision } from './revision.ts'

/**
 * Everything the data plane needs, whole: controller → proxy. Immutable; a swap is another table.
 * One address (host and port) may carry several http listeners of different services, told apart by `hostNames`.
 */
export interface RoutingTable {
  readonly fabric: string
  readonly revision: Revision
  readonly listeners: readonly Listener[]
  readonly pools: Readonly<Record<string, Pool>>
  readonly limits: DataPlaneLimits
}

export interface Listener {
  /** `service/slot/role/endpoint`, or `service/deployment/role/endpoint` for an internal endpoint. Never changes. */
  readonly key: string
  readonly service: string
  /** null for an internal endpoint. */
  readonly slot: Slot | null
  readonly role: string
  readonly endpoint: string
  readonly protocol: 'http' | 'tcp'
  readonly host: string
  /** As asked for; 0 takes a free port, reported in the acknowledgement and kept from then on. */
  readonly port: number
  /** The port found for 0 earlier, to be taken again by a proxy that does not remember it. */
  readonly lastPort?: number | null
  readonly hostNames: readonly string[]
  /** Key into `pools`; null while the slot is empty or its deployment lacks this endpoint: 503 at once. */
  readonly pool: string | null
  /** Why there is no pool or nothing in it, in words for a caller's 503. */
  readonly reason: string | null
}

export interface Pool {
  readonly key: string
  readonly service: string
  readonly deployment: string
  readonly role: string
  readonly endpoint: string
  readonly targets: readonly Target[]
  /** Something is expected to become ready: hold requests when no target is `in`; otherwise 503 at once. */
  readonly expecting: boolean
  /** Requests in flight on a draining target get this long, WebSockets a close frame then. */
  readonly drainTimeoutMs: number
}

export interface Target {
  /** One start of one process: `deployment/instance#incarnation.attempt`. In-flight counts are reported under it. */
  readonly key: string
  readonly instance: string
  readonly version: string
  readonly host: string
  readonly port: number
  /** `draining`: never chosen again, finishes what it has. Absent from the table: idle sockets retired, the rest cut. */
  readonly state: 'in' | 'draining'
  /** Milliseconds left of the drain when the table was made. Only with `draining`. */
  readonly drainMs?: number
}

/** Bounds and clocks of the data plane; times in milliseconds, sizes in bytes. */
export interface DataPlaneLimits {
  readonly holdTimeoutMs: number
  readonly holdMax: number
  readonly holdBytes: number
  readonly maxHeadBytes: number
  readonly maxHeaders: number
  readonly connectTimeoutMs: number
  /** From the request sent to the head of the answer. */
  readonly responseTimeoutMs: number
  /** Without a byte either way in the middle of a message. */
  readonly idleTimeoutMs: number
  /** A client connection without a request. */
  readonly keepAliveTimeoutMs: number
  /** From the first byte of a request's head to its last. */
  readonly headTimeoutMs: number
  readonly trustedProxies: readonly string[]
  readonly exposeInstance: boolean
}

export const DEFAULT_LIMITS: DataPlaneLimits = {
  holdTimeoutMs: 30_000,
  holdMax: 1000,
  holdBytes: 16 * 1024 * 1024,
  maxHeadBytes: 32 * 1024,
  maxHeaders: 100,
  connectTimeoutMs: 3000,
  responseTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  headTimeoutMs: 10_000,
  trustedProxies: [],
  exposeInstance: false,
}
