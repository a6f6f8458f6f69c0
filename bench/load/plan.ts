import type { Address } from './connection.ts'
import type { Kind } from './records.ts'

export type HttpKind = Exclude<Kind, 'ws'>

/** A listening address under test, and what its records call it. */
export interface Vip extends Address {
  readonly name: string
}

/** What one VIP gets; every VIP of a load gets the same. */
export interface LoadPlan {
  readonly vips: readonly Vip[]
  /** Each connection sends its next request `thinkMs` after the answer to the last: 0 saturates. */
  readonly closed: readonly {
    readonly kinds: readonly HttpKind[]
    readonly connections: number
    readonly thinkMs: number
    readonly oneShot: boolean
  }[]
  /** Requests fall due at a fixed rate, whatever became of those before. */
  readonly open: readonly { readonly kinds: readonly HttpKind[]; readonly perSecond: number }[]
  readonly webSockets: { readonly connections: number; readonly intervalMs: number }
  /** Nothing at all for this long on a connection is a time-out. */
  readonly timeoutMs: number
}

/** The normal mix, some 1,300 requests a second over two VIPs: well below what two cores carry, so that times mean something. */
export function standardPlan(vips: readonly Vip[]): LoadPlan {
  const thinkMs = 12
  return {
    vips,
    closed: [
      { kinds: ['get', 'get', 'post', 'get', 'chunked'], connections: 4, thinkMs, oneShot: false },
      { kinds: ['get', 'post'], connections: 2, thinkMs, oneShot: true },
      { kinds: ['slow'], connections: 3, thinkMs, oneShot: false },
    ],
    open: [{ kinds: ['get', 'get', 'get', 'post', 'chunked'], perSecond: 250 }],
    webSockets: { connections: 4, intervalMs: 50 },
    timeoutMs: 40_000,
  }
}

/** HTTP only: a WebSocket would hold each drain up to its deadline, beside which nothing else of a walk could be seen. */
export function upgradePlan(vips: readonly Vip[]): LoadPlan {
  return { ...standardPlan(vips), webSockets: { connections: 0, intervalMs: 50 } }
}
