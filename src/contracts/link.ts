import type { AgentReadings } from './agent-metrics.ts'
import type { Assignment, InstanceObservation } from './assignment.ts'
import type { LedgerSnapshot } from './ledger.ts'
import type { PlaneReadings } from './plane-metrics.ts'
import type { Revision } from './revision.ts'
import type { RoutingTable } from './routing.ts'

/**
 * The link: peers dial the controller's Unix socket, send an HTTP/1.1 `GET /link` with `Upgrade: vipswap-link/1`, and after
 * the 101 both sides speak JSON lines (src/core/json-lines.ts). On the same socket `GET /packages/<digest>` answers the
 * canonical tar of a package, `GET /packages/<digest>/signatures` its name, version and signatures as JSON.
 */
export const LINK_PROTOCOL = 'vipswap-link/1'

/** Longest Unix socket path; Node 20 silently truncates longer ones. */
export const MAX_SOCKET_PATH = 103

export interface ProxyHello {
  readonly type: 'hello'
  readonly peer: 'proxy'
  readonly id: string
  /** One life of one holder; new at every start. */
  readonly incarnation: string
  readonly bootId: string
  readonly applied: Revision | null
  /** Earlier incarnations of this proxy that this one knows of, and whether all their processes are gone. */
  readonly predecessors: readonly { readonly incarnation: string; readonly exited: boolean }[]
}

export interface AgentHello {
  readonly type: 'hello'
  readonly peer: 'agent'
  /** The node's name. */
  readonly id: string
  readonly incarnation: string
  readonly bootId: string
  readonly applied: Revision | null
  readonly node: NodeFacts
}

export interface NodeFacts {
  readonly cores: number
  readonly memoryBytes: number
  /** Address instances listen on, as the proxy dials it. */
  readonly host: string
  readonly faultDomain: number | null
  readonly upgradeDomain: number | null
  /** What it holds role processes to: `no-new-privileges`, `users`, `groups`, `memory`, `cpu`. Agents of earlier versions do not say. */
  readonly confines?: readonly string[]
}

export interface ListenerStatus {
  readonly key: string
  /** The port actually bound; null with `error`. */
  readonly port: number | null
  /** For example `EADDRINUSE: 127.0.0.1:8080 is in use`. */
  readonly error: string | null
}

/** Proxy → controller. `ack` promises: table on disk, applied by every worker, each listener bound or its error given. */
export type FromProxy =
  | ProxyHello
  | {
      readonly type: 'ack'
      readonly revision: Revision
      readonly listeners: readonly ListenerStatus[]
      readonly status: ProxyStatus
    }
  | { readonly type: 'status'; readonly status: ProxyStatus }
  /** Every 2 s. */
  | { readonly type: 'metrics'; readonly readings: PlaneReadings }
  | { readonly type: 'predecessor'; readonly incarnation: string; readonly exited: boolean }
  | { readonly type: 'refused'; readonly revision: Revision; readonly applied: Revision }

/** Sent with every ack, at once when a draining target reaches zero, and at most every 250 ms when something changed. */
export interface ProxyStatus {
  /** The table under which these counts were taken. */
  readonly revision: Revision
  /** Target key → requests and tunnels in flight; targets with none are left out. */
  readonly inFlight: Readonly<Record<string, number>>
  readonly ledger: LedgerSnapshot
}

export type ToProxy = { readonly type: 'table'; readonly table: RoutingTable }

/** Agent → controller. */
export type FromAgent =
  | AgentHello
  | {
      readonly type: 'observed'
      /** Highest assignment applied. */
      readonly revision: Revision | null
      /** Every instance this node has, whole. */
      readonly instances: readonly InstanceObservation[]
      /** Digests that are here and verified. */
      readonly packages: readonly string[]
      readonly packageErrors: Readonly<Record<string, string>>
    }
  /** Every 2 s. */
  | { readonly type: 'metrics'; readonly readings: AgentReadings }
  | { readonly type: 'refused'; readonly revision: Revision; readonly applied: Revision }
  | { readonly type: 'log'; readonly request: string; readonly text: string }
  | { readonly type: 'log-end'; readonly request: string; readonly error: string | null }

export type ToAgent =
  | { readonly type: 'assignment'; readonly assignment: Assignment }
  /** Read an instance's log: the last `tail` bytes, then what comes if `follow`. Key as in Assignment. */
  | {
      readonly type: 'log'
      readonly request: string
      readonly key: string
      readonly tail: number
      readonly follow: boolean
    }
  | { readonly type: 'log-cancel'; readonly request: string }
