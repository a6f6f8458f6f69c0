import type { Slot } from '../model/slot.ts'
import type { Revision } from './revision.ts'

/**
 * Everything the data plane needs, whole: controller → proxy. Immutable; a swap is another table.
 * One address (host and port) may carry several http listeners of different services, told apart by `hostNames`.
 */
export interface RoutingTable {
  readonly fabric: string
  readonly revision: Revision
  /** The oldest service's first: of a shared address its certificate goes to who asks for no name, or an unknown one. */
  readonly listeners: readonly Listener[]
  readonly pools: Readonly<Record<string, Pool>>
  /** By id; listeners name them. Holds private keys: whoever writes a table to disk does so with mode 0600. */
  readonly certificates: Readonly<Record<string, TlsCertificate>>
  readonly limits: DataPlaneLimits
  /** In progress, for log lines. They alone are no reason to say the rest again. */
  readonly operations?: readonly string[]
}

export interface TlsCertificate {
  /** SHA-256 of chain and key, hexadecimal. */
  readonly id: string
  /** PEM: the certificate, then its intermediates. */
  readonly chain: string
  /** PEM, not encrypted. */
  readonly key: string
  /** Host names and addresses it is for, lower-case; `*.example.org` stands for one label. */
  readonly names: readonly string[]
}

export interface Listener {
  /** `service/slot/role/endpoint`, or `service/deployment/role/endpoint` for an internal endpoint. Never changes. */
  readonly key: string
  readonly service: string
  /** null for an internal endpoint. */
  readonly slot: Slot | null
  readonly role: string
  readonly endpoint: string
  readonly protocol: 'http' | 'https' | 'tcp'
  /** Only with https. */
  readonly tls: ListenerTls | null
  readonly options: ListenerOptions
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
  /** An operator holds this address: arriving requests wait. Tables of earlier versions do not say. */
  readonly paused?: ListenerPause | null
}

/** Whichever of the two is over first ends it; nobody needs to say so. */
export interface ListenerPause {
  /** Wall clock, Unix milliseconds. */
  readonly until: number
  /** Milliseconds left when the table was made. */
  readonly leftMs: number
}

export interface ListenerTls {
  /** Ids of certificates; the first is shown where no server name is asked for or none fits. Never empty. */
  readonly certificates: readonly string[]
  /** Mutual TLS: PEM of the authorities whose client certificates are taken. `required`: no request without one. */
  readonly clientAuth: { readonly ca: string; readonly required: boolean } | null
}

/** How a listener speaks with its clients. All listeners of one address agree on `proxyProtocol`. */
export interface ListenerOptions {
  /** HTTP/2: by ALPN with https, by prior knowledge with http. */
  readonly http2: boolean
  /** Every connection begins with a PROXY protocol header, version 1 or 2. */
  readonly proxyProtocol: boolean
  /** Requests carry `Forwarded` (RFC 7239) beside X-Forwarded-*. */
  readonly forwarded: boolean
  /** A longer request body is answered 413; null: no bound. */
  readonly maxBodyBytes: number | null
  /** Answers say how long they were held, and how long their instance took (`Server-Timing`). */
  readonly serverTiming?: boolean
}

export const DEFAULT_OPTIONS: ListenerOptions = {
  http2: false,
  proxyProtocol: false,
  forwarded: false,
  maxBodyBytes: null,
}

/** How a pool's instances are chosen and spoken to. Times in milliseconds. */
export interface PoolPolicy {
  readonly backend: 'h1' | 'h2c'
  /** `least`: of two chosen at random, the one with less in flight. */
  readonly balancing: 'least' | 'round-robin'
  /** Whether a caller stays with its instance: by a cookie of ours, or by the hash of its address. */
  readonly affinity: 'none' | 'cookie' | 'source'
  /** An instance that comes into the pool gets a growing share for this long; 0: its full share at once. */
  readonly slowStartMs: number
  /**
   * Requests at once on one instance, tunnels included; null: no bound. Beyond it they wait, at most `maxQueue` per pool.
   * Both, as `holdMax` and `holdBytes`, are shared out evenly over a proxy's workers, at least one to each.
   */
  readonly maxConcurrent: number | null
  readonly maxQueue: number
  /** Passive ejection; null: none. */
  readonly ejection: EjectionPolicy | null
  readonly connectTimeoutMs: number
  /** From the request sent to the head of the answer. */
  readonly responseTimeoutMs: number
  /** Without a byte either way in the middle of a message. */
  readonly idleTimeoutMs: number
}

export interface EjectionPolicy {
  /** Failures in a row (no connection, broken answer, time-out) until an instance is passed over. */
  readonly failures: number
  /** For how long at first; doubled each time up to 10 times this, until it serves well again. */
  readonly baseMs: number
  /** At most this share of a pool's ready instances, 0 to 1. */
  readonly maxShare: number
}

export const DEFAULT_POLICY: PoolPolicy = {
  backend: 'h1',
  balancing: 'least',
  affinity: 'none',
  slowStartMs: 0,
  maxConcurrent: null,
  maxQueue: 1000,
  ejection: { failures: 5, baseMs: 5000, maxShare: 0.5 },
  connectTimeoutMs: 3000,
  responseTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
}

export interface Pool {
  readonly key: string
  readonly service: string
  readonly deployment: string
  readonly role: string
  readonly endpoint: string
  readonly policy: PoolPolicy
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
  /** Its share of the pool's requests relative to others; 1 unless the role says otherwise. */
  readonly weight: number
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
  /** Defaults of the pools' policies. */
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  /** Also of clients: without a byte in the middle of a message. */
  readonly idleTimeoutMs: number
  /** A tunnel (WebSocket, tcp) without a byte either way. */
  readonly tunnelIdleTimeoutMs: number
  /** A client connection without a request. */
  readonly keepAliveTimeoutMs: number
  /** From the first byte of a request's head to its last. */
  readonly headTimeoutMs: number
  readonly trustedProxies: readonly string[]
  readonly exposeInstance: boolean
  readonly accessLog: 'json' | 'common' | null
  /** Body of every 503 that the proxy gives by itself, instead of one line of text. */
  readonly maintenancePage: { readonly contentType: string; readonly body: string } | null
  /** While an address is paused the proxy answers 200 to a GET or HEAD of this path; null: it waits like any other. */
  readonly balancerHealthPath: string | null
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
  tunnelIdleTimeoutMs: 3_600_000,
  keepAliveTimeoutMs: 75_000,
  headTimeoutMs: 10_000,
  trustedProxies: [],
  exposeInstance: false,
  accessLog: null,
  maintenancePage: null,
  balancerHealthPath: null,
}
