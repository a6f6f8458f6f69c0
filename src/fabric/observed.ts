import type { InstanceObservation } from '../contracts/assignment.ts'
import type { ListenerStatus, ProxyStatus } from '../contracts/link.ts'
import type { Revision } from '../contracts/revision.ts'
import type { Anchor } from './anchor.ts'

/** Seen since this controller started. */
export interface Observed {
  readonly nodes: Readonly<Record<string, ObservedNode>>
  readonly proxies: Readonly<Record<string, ObservedProxy>>
  /** What proxies had told in the last seconds, about one a second, oldest first. */
  readonly earlier?: readonly Earlier[]
}

/** `mono` compares with moments of this controller's life only. */
export interface Earlier {
  readonly mono: number
  readonly proxies: Observed['proxies']
}

export interface ObservedNode {
  readonly online: boolean
  /** Since when it is not connected, by this controller's life; null while it is. */
  readonly silentSince: Anchor | null
  /** It has reported since it connected. */
  readonly reported: boolean
  readonly revision: Revision | null
  /** By `deployment/instance`. */
  readonly instances: Readonly<Record<string, InstanceObservation>>
  readonly packages: readonly string[]
  readonly packageErrors: Readonly<Record<string, string>>
}

export interface ObservedProxy {
  readonly online: boolean
  readonly acknowledged: Revision | null
  readonly listeners: readonly ListenerStatus[]
  readonly status: ProxyStatus | null
}

export const NOTHING_OBSERVED: Observed = { nodes: {}, proxies: {} }
