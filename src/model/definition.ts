import type { CertificateFiles, CertificateRef } from './certificate.ts'
import type { SlotValues, VerifyProbe, WarmUp } from './role-traffic.ts'

/**
 * The service definition and configuration after defaults: what every other part works with.
 * Times are milliseconds, sizes bytes; nothing is optional that has a default.
 */
export interface ServiceDefinition {
  readonly name: string
  readonly version: string
  readonly upgradeDomainCount: number
  readonly requires: string | null
  readonly breaksData: boolean
  readonly platform: Platform
  /** Addresses of the two VIPs as the package asks for them; they belong to the service once it exists. */
  readonly vips: VipAddresses
  readonly hostNames: { readonly production: string; readonly staging: string }
  readonly roles: Readonly<Record<string, RoleDefinition>>
}

/** What all roles run on; a change of it walks the domains of all. */
export interface Platform {
  readonly version: string | null
  readonly trustLevel: 'full' | 'partial'
}

/** Host and what is added to each endpoint's port. Staging's default is 127.0.0.1 and +1. */
export interface VipAddress {
  readonly host: string
  readonly portOffset: number
}

export interface VipAddresses {
  readonly production: VipAddress
  readonly staging: VipAddress
}

export type Command = string | readonly string[]

/** Signals that a process may be told by; its keeper outlives them. */
export type ReloadSignal = 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2'

export interface RoleDefinition {
  readonly name: string
  readonly kind: 'web' | 'worker'
  /** null where `upstreams` fronts something that is not ours to run. */
  readonly command: Command | null
  readonly upstreams: readonly string[]
  /** The role's folder inside the package, relative, `.` for its root. */
  readonly path: string
  readonly instances: number
  /** In the order written: the first one's port is `PORT`. */
  readonly endpoints: readonly EndpointDefinition[]
  readonly probe: Probe
  readonly startTimeoutMs: number
  readonly drainTimeoutMs: number
  readonly stopTimeoutMs: number
  readonly startup: readonly Command[]
  readonly localStorage: readonly LocalStorageDefinition[]
  readonly settings: Readonly<Record<string, string>>
  /** Those of `settings` that are secrets: '' here, sealed wherever they have a value (src/core/seal-key.ts). Absent: none. */
  readonly secrets?: readonly string[]
  /** Those of `settings` that belong to a slot, with their values there. Absent: none. */
  readonly slotSettings?: Readonly<Record<string, SlotValues>>
  /** Asked of each instance before a swap gives it traffic. Absent: nothing. */
  readonly warmUp?: readonly WarmUp[]
  /** What `--verify` sends; absent: a GET of the probe's path. */
  readonly verify?: readonly VerifyProbe[]
  /** Changed settings are told by a file and this signal; absent: by a restart. */
  readonly settingsReload?: ReloadSignal
  readonly env: Readonly<Record<string, string>>
  readonly size: string | null
  /** As whom its processes run; absent: as the fabric says. */
  readonly user?: string
  /** By name; null where only a configuration gives it. */
  readonly certificates: Readonly<Record<string, CertificateFiles | null>>
  readonly affinity: 'none' | 'cookie' | 'source'
  readonly balancing: 'least' | 'round-robin'
  readonly slowStartMs: number
  /** By instance index; where the list ends, 1. */
  readonly weights: readonly number[]
  /** Requests at once on one instance; null: no bound. */
  readonly maxConcurrent: number | null
  readonly maxQueue: number
  /** Passive ejection: null for none; what is left out is as the fabric says. */
  readonly ejection: Partial<Ejection> | null
  /** null: start-first for a role of one instance where that is possible, else stop-first. */
  readonly order: 'start-first' | 'stop-first' | null
  /** How many instances planned work leaves ready; null: all of the other upgrade domains. */
  readonly capacityFloor?: CapacityFloor | null
}

/** Percentages are of the role's instances, rounded up. */
export type CapacityFloor = { readonly unit: 'instances' | 'percent'; readonly value: number }

export interface EndpointDefinition {
  readonly name: string
  readonly protocol: 'http' | 'https' | 'tcp'
  /** Public port on the production VIP; 0 takes a free one. */
  readonly port: number
  readonly internal: boolean
  readonly backend: 'h1' | 'h2c'
  /** Names of the role's certificates, the default one first; empty unless https. */
  readonly certificates: readonly string[]
  /** Mutual TLS; `ca` is a path inside the package. */
  readonly clientAuth: { readonly ca: string; readonly required: boolean } | null
  readonly http2: boolean
  readonly proxyProtocol: boolean
  readonly forwarded: boolean
  /** Answers carry `Server-Timing`. Left out where they do not: definitions are older than it. */
  readonly serverTiming?: true
  /** null: as the fabric says. */
  readonly maxBodyBytes: number | null
  /** null: the fabric's limit. */
  readonly timeouts: {
    readonly connectMs: number | null
    readonly responseMs: number | null
    readonly idleMs: number | null
  }
}

export interface Ejection {
  /** Failures in a row. */
  readonly failures: number
  readonly baseMs: number
  /** 0 to 1. */
  readonly maxShare: number
}

export interface LocalStorageDefinition {
  readonly name: string
  readonly sizeBytes: number
  readonly cleanOnRecycle: boolean
}

interface ProbeClock {
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Successes in a row until ready. */
  readonly healthy: number
  /** Failures in a row until no longer ready. */
  readonly unhealthy: number
}

export type Probe =
  | ({ readonly kind: 'http'; readonly endpoint: string; readonly path: string } & ProbeClock)
  | ({ readonly kind: 'tcp'; readonly endpoint: string } & ProbeClock)
  | ({ readonly kind: 'process' } & ProbeClock)

/** What may change without a new package, per role. */
export interface Configuration {
  readonly roles: Readonly<Record<string, RoleConfiguration>>
}

export interface RoleConfiguration {
  readonly instances?: number
  readonly settings?: Readonly<Record<string, string>>
  /** Of settings that the definition binds to a slot: over its values there. */
  readonly slotSettings?: Readonly<Record<string, SlotValues>>
  /** By name, instead of what the package brings. */
  readonly certificates?: Readonly<Record<string, CertificateRef>>
}
