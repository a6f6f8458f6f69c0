import { BlockList, isIP } from 'node:net'
import { cookieName } from '../balancing/affinity-cookie.ts'
import type { Revision } from '../../src/contracts/revision.ts'
import type { DataPlaneLimits, Listener, Pool, RoutingTable } from '../../src/contracts/routing.ts'
import { TlsSite } from '../tls/tls-site.ts'
import type { PauseLine } from '../hold/pause-line.ts'
import type { PoolState } from './pool-state.ts'
import type { TargetState } from './target.ts'

/** One listener's way to its instances under one table. */
export interface Route {
  readonly listener: Listener
  readonly pool: CompiledPool | null
  /** Name of the cookie by which a client stays with its instance; null without such affinity. */
  readonly cookie: string | null
  /** Where requests wait while an operator holds the address; null: nobody does. */
  readonly pause: PauseLine | null
}

export interface CompiledPool {
  readonly pool: Pool
  readonly state: PoolState
  /** Targets in state `in`. */
  readonly ready: readonly TargetState[]
  /** All of them have the same weight. */
  readonly isEven: boolean
}

/** All listeners of one bound address. */
export interface Site {
  readonly address: string
  readonly protocol: 'http' | 'https' | 'tcp'
  /** HTTP/2 is spoken too. */
  readonly http2: boolean
  /** For what no host name decides. */
  readonly first: Route
  /** Null where one listener has the address alone: any host is its. */
  readonly byHost: ReadonlyMap<string, Route> | null
  /** Only with https. */
  readonly tls: TlsSite | null
}

/** A routing table made ready for choosing from. Never changes; a new table is a new snapshot. */
export interface Snapshot {
  readonly revision: Revision
  readonly limits: DataPlaneLimits
  readonly sites: ReadonlyMap<string, Site>
  readonly pools: ReadonlyMap<string, CompiledPool>
  readonly trusted: BlockList | null
  readonly tlsSites: readonly TlsSite[]
}

/** Names what is bound: listeners of one host and port share it; a free port (0) is never shared. */
export function addressOf(listener: Pick<Listener, 'host' | 'port' | 'key'>): string {
  return listener.port === 0 ? `${listener.host}:0 ${listener.key}` : `${listener.host}:${listener.port}`
}

/**
 * Compiles a table. `stateFor` gives the lasting state of a pool: the known one or a new one; `pauseFor` that of a paused
 * listener.
 */
export function compileTable(
  table: RoutingTable,
  stateFor: (pool: Pool) => PoolState,
  pauseFor: (listener: Listener) => PauseLine | null,
): Snapshot {
  const pools = new Map<string, CompiledPool>()
  for (const [key, pool] of Object.entries(table.pools)) pools.set(key, compilePool(pool, stateFor(pool)))

  const routes = new Map<string, Route[]>()
  for (const listener of table.listeners) {
    const pool = listener.pool === null ? null : (pools.get(listener.pool) ?? null)
    const byCookie = pool?.pool.policy.affinity === 'cookie' && listener.protocol !== 'tcp'
    const route = {
      listener,
      pool,
      cookie: byCookie ? cookieName(listener.key) : null,
      pause: pauseFor(listener),
    }
    const address = addressOf(listener)
    const shared = routes.get(address)
    if (shared === undefined) routes.set(address, [route])
    else shared.push(route)
  }
  const sites = new Map<string, Site>()
  for (const [address, [first, ...others]] of routes) {
    if (first === undefined) continue
    let byHost: Map<string, Route> | null = null
    if (others.length > 0 && first.listener.protocol !== 'tcp') {
      byHost = new Map()
      for (const route of [first, ...others]) {
        for (const name of route.listener.hostNames) {
          const lower = name.toLowerCase()
          if (!byHost.has(lower)) byHost.set(lower, route)
        }
      }
    }
    const { protocol } = first.listener
    const listeners = [first, ...others].map(route => route.listener)
    const http2 = listeners.some(({ options }) => options.http2)
    const tls = protocol === 'https' ? new TlsSite(listeners, table.certificates) : null
    sites.set(address, { address, protocol, http2, first, byHost, tls })
  }
  return {
    revision: table.revision,
    limits: table.limits,
    sites,
    pools,
    trusted: compileTrusted(table.limits.trustedProxies),
    tlsSites: [...sites.values()].flatMap(site => site.tls ?? []),
  }
}

export function compilePool(pool: Pool, state: PoolState): CompiledPool {
  const entered = pool.targets.filter(target => target.state === 'in')
  const ready = entered.map(target => state.targetFor(target))
  return { pool, state, ready, isEven: entered.every(target => target.weight === entered[0]?.weight) }
}

/** The listener of a request by its host name; null: none has that name (421). */
export function routeFor(site: Site, hostName: string): Route | null {
  return site.byHost === null ? site.first : (site.byHost.get(hostName) ?? null)
}

/** The same addresses, none of which leads anywhere: 503 with `reason`. */
export function leadingNowhere(snapshot: Snapshot, reason: string): Snapshot {
  const nowhere = ({ listener }: Route): Route => ({
    listener: { ...listener, reason },
    pool: null,
    cookie: null,
    pause: null,
  })
  const sites = new Map<string, Site>()
  for (const [address, site] of snapshot.sites) {
    const byHost = site.byHost && new Map([...site.byHost].map(([name, route]) => [name, nowhere(route)]))
    sites.set(address, { ...site, first: nowhere(site.first), byHost })
  }
  return { ...snapshot, sites }
}

/** Addresses and prefixes (`10.0.0.0/8`) as a list to test against; null if there are none. */
function compileTrusted(entries: readonly string[]): BlockList | null {
  if (entries.length === 0) return null
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/')
    const family = isIP(address)
    if (family === 0) continue
    const type = family === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, type)
    else list.addSubnet(address, Number(prefix), type)
  }
  return list
}
