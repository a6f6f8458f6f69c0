import type { AccessRole } from '../core/access-role.ts'
import type { Ejection, VipAddresses } from './definition.ts'
import type { Hooks } from './hooks.ts'

/** `vipswap.yaml` after defaults. Times are milliseconds, sizes bytes. */
export interface FabricConfig {
  readonly admin: {
    readonly host: string
    readonly port: number
    readonly tokenFile: string | null
    /** null: plain HTTP. */
    readonly tls: AdminTlsConfig | null
    readonly audit: { readonly maxBytes: number; readonly keep: number }
  }
  readonly links: {
    /** Where agents and proxies of other machines dial, as HOST:PORT; null: there are none. */
    readonly listen: string | null
    readonly certificateLifeMs: number
  }
  readonly workers: number
  /** For services that have none of their own here; null leaves it to the package. */
  readonly vips: VipAddresses | null
  readonly services: Readonly<Record<string, ServiceAddresses>>
  readonly limits: FabricLimits
  readonly portRange: { readonly from: number; readonly to: number }
  readonly packages: {
    readonly maxBytes: number
    readonly maxFiles: number
    readonly keep: number
    readonly requireSignature: boolean
    /** By name: minisign public keys. */
    readonly trustedKeys: Readonly<Record<string, string>>
  }
  readonly processes: {
    /** null: the agent's own. */
    readonly user: string | null
    readonly users: readonly string[]
    readonly openFiles: number | null
    readonly cgroup: string | null
  }
  /** Where the key lies that seals secrets; null: in the data folder. */
  readonly secrets: { readonly keyFile: string | null }
  readonly sizes: Readonly<Record<string, { readonly cores: number; readonly memoryBytes: number }>>
  /** null: no bound. */
  readonly quota: { readonly cores: number } | null
  readonly nodeTimeoutMs: number
  /** What roles and endpoints get that say nothing else. */
  readonly endpointDefaults: EndpointDefaults
  /** Of all services; one that a service has itself goes before. */
  readonly hooks: Hooks
}

export interface AdminTlsConfig {
  readonly cert: string
  readonly key: string
  /** null: no client certificates. */
  readonly clientCa: string | null
  /** By common name; null: whoever has a certificate of `clientCa` is an admin. */
  readonly roles: Readonly<Record<string, AccessRole>> | null
}

export interface EndpointDefaults {
  /** null: no bound. */
  readonly maxBodyBytes: number | null
  /** null: none. */
  readonly ejection: Ejection | null
}

export interface ServiceAddresses {
  readonly vips?: VipAddresses
  readonly hostNames?: { readonly production?: string; readonly staging?: string }
  readonly hooks?: Hooks
}

/** Field for field the limits of the routing table; a test holds the two together. */
export interface FabricLimits {
  readonly holdTimeoutMs: number
  readonly holdMax: number
  readonly holdBytes: number
  readonly maxHeadBytes: number
  readonly maxHeaders: number
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly tunnelIdleTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  readonly headTimeoutMs: number
  readonly trustedProxies: readonly string[]
  readonly exposeInstance: boolean
  readonly accessLog: 'json' | 'common' | null
  readonly maintenancePage: { readonly contentType: string; readonly body: string } | null
  readonly balancerHealthPath: string | null
}
