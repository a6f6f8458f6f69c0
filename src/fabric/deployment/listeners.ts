import type { Slot } from '../../model/slot.ts'
import { DEFAULT_OPTIONS } from '../../contracts/routing.ts'
import { own } from '../../core/own.ts'
import { SLOTS } from '../../model/slot.ts'
import type { EndpointDefinition, ServiceDefinition, VipAddresses } from '../../model/definition.ts'
import type { Draft } from '../draft.ts'
import { specOf } from '../instances.ts'
import type { ListenerRecord, RoleSpec, ServiceRecord } from '../state.ts'

export interface RoleEndpoint {
  role: string
  endpoint: EndpointDefinition
}

/**
 * The addresses a service needs for the endpoints of what is in its slots, keeping what is bound already. A slot's own
 * deployment decides on its addresses; where it has no such endpoint, the other slot's does.
 */
export function listenersFor(draft: Draft, service: Readonly<ServiceRecord>): ListenerRecord[] {
  const inSlot = {
    production: endpointsListened(draft, service.slots.production ?? '').filter(isPublic),
    staging: endpointsListened(draft, service.slots.staging ?? '').filter(isPublic),
  }
  const wanted: { slot: Slot; named: RoleEndpoint }[] = []
  for (const { role, endpoint } of [...inSlot.production, ...inSlot.staging]) {
    const isIt = (other: RoleEndpoint): boolean => other.role === role && other.endpoint.name === endpoint.name
    for (const slot of SLOTS) {
      const other = inSlot[slot === 'staging' ? 'production' : 'staging']
      const own = inSlot[slot].filter(isIt)
      // Its own deployment has that port under another name: there is nothing to keep for the other's.
      const found =
        own.length > 0 ? own : other.filter(named => isIt(named) && !hasPort(inSlot[slot], named.endpoint.port))
      for (const named of found) {
        if (wanted.every(one => one.slot !== slot || !isSame(one.named, named))) wanted.push({ slot, named })
      }
    }
  }
  return withKeys(service, wanted)
}

function isPublic({ endpoint }: RoleEndpoint): boolean {
  return !endpoint.internal
}

/** The same way in at the same port: two of one name are there while an upgrade moves it. */
function isSame(a: RoleEndpoint, b: RoleEndpoint): boolean {
  return a.role === b.role && a.endpoint.name === b.endpoint.name && a.endpoint.port === b.endpoint.port
}

function hasPort(endpoints: readonly RoleEndpoint[], port: number): boolean {
  return port !== 0 && endpoints.some(({ endpoint }) => endpoint.port === port)
}

/** What is there keeps its key; what is new is named after its endpoint, and where that is taken, after its port too. */
function withKeys(
  service: Readonly<ServiceRecord>,
  wanted: readonly { slot: Slot; named: RoleEndpoint }[],
): ListenerRecord[] {
  const kept = wanted.map(({ slot, named: { role, endpoint } }) =>
    service.listeners.find(
      listener =>
        listener.slot === slot &&
        listener.role === role &&
        listener.endpoint === endpoint.name &&
        listener.port === portIn(service, slot, endpoint),
    ),
  )
  const taken = new Set(kept.flatMap(listener => listener?.key ?? []))
  return wanted.map(({ slot, named }, index) => {
    const base = `${service.name}/${slot}/${named.role}/${named.endpoint.name}`
    const key = kept[index]?.key ?? (taken.has(base) ? `${base}@${named.endpoint.port}` : base)
    taken.add(key)
    return listenerOf(service, slot, key, named)
  })
}

function portIn({ vips }: Readonly<ServiceRecord>, slot: Slot, { port }: EndpointDefinition): number {
  return port === 0 ? 0 : port + vips[slot].portOffset
}

function listenerOf(
  service: Readonly<ServiceRecord>,
  slot: Slot,
  key: string,
  { role, endpoint }: RoleEndpoint,
): ListenerRecord {
  const before = service.listeners.find(listener => listener.key === key)
  const { host } = service.vips[slot]
  const port = portIn(service, slot, endpoint)
  const face =
    before?.protocol === endpoint.protocol
      ? { tls: before.tls, options: before.options, lent: before.lent }
      : { tls: null, options: DEFAULT_OPTIONS, lent: true }
  return {
    key,
    slot,
    role,
    endpoint: endpoint.name,
    protocol: endpoint.protocol,
    ...face,
    host,
    port,
    bound: before !== undefined && before.port === port && before.host === host ? before.bound : null,
  }
}

/** What the roles of a deployment are to have. */
export function endpointsOfDeployment(draft: Draft, deployment: string): RoleEndpoint[] {
  return draft.rolesOf(deployment).flatMap(role => endpointsOfRole(role.name, specOf(role, role.target)))
}

export function endpointsOfRole(role: string, { definition }: Pick<RoleSpec, 'definition'>): RoleEndpoint[] {
  return definition.endpoints.map(endpoint => ({ role, endpoint }))
}

/**
 * What a deployment listens for: while it is walked the endpoints of both ends, and from the last domain on those of the
 * end it goes to. An address that both ends have stays the first one's until then.
 */
export function endpointsListened(draft: Draft, id: string): RoleEndpoint[] {
  const upgrade = draft.deployments.get(id)?.upgrade ?? null
  if (upgrade === null) return endpointsOfDeployment(draft, id)
  const goes = upgrade.direction === 'forward' ? upgrade.removed : upgrade.added
  if (upgrade.phase === 'removing') return endpointsOfDeployment(draft, id).filter(({ role }) => !goes.includes(role))
  const at = (end: 'from' | 'to'): RoleEndpoint[] =>
    draft.rolesOf(id).flatMap(role => {
      if ((end === 'from' ? upgrade.added : upgrade.removed).includes(role.name)) return []
      return endpointsOfRole(role.name, specOf(role, own(upgrade.roles, role.name)?.[end] ?? role.target))
    })
  const before = at('from')
  return [...before, ...at('to').filter(named => !before.some(other => haveOneAddress(named, other)))]
}

function haveOneAddress(a: RoleEndpoint, b: RoleEndpoint): boolean {
  if (a.endpoint.internal !== b.endpoint.internal) return false
  if (a.endpoint.internal || a.endpoint.port === 0) return isSame(a, b)
  return a.endpoint.port === b.endpoint.port
}

/** Internal listeners of a deployment: any free loopback port each, kept for its life; `before` are those it has. */
export function internalListeners(
  deployment: string,
  service: string,
  endpoints: readonly RoleEndpoint[],
  before: readonly Readonly<ListenerRecord>[] = [],
): ListenerRecord[] {
  return endpoints
    .filter(({ endpoint }) => endpoint.internal)
    .map(({ role, endpoint: { name, protocol } }) => {
      const key = `${service}/${deployment}/${role}/${name}`
      const fresh = {
        key,
        slot: null,
        role,
        endpoint: name,
        protocol,
        tls: null,
        options: DEFAULT_OPTIONS,
        lent: false,
      }
      const there = before.find(listener => listener.key === key && listener.protocol === protocol)
      return there ?? { ...fresh, host: '127.0.0.1', port: 0, bound: null }
    })
}

/** The addresses and host names of a service that is created now: the fabric's word, else the package's. */
export function addressesOf(
  draft: Draft,
  definition: ServiceDefinition,
): { vips: VipAddresses; hostNames: Record<Slot, string> } {
  const { settings } = draft.fabric
  const words = own(settings.services, definition.name)
  return {
    vips: words?.vips ?? settings.vips ?? definition.vips,
    hostNames: words?.hostNames ?? definition.hostNames,
  }
}

/** What some proxy says is wrong with these listeners, or null. */
export function bindingError(draft: Draft, keys: readonly string[]): string | null {
  for (const incarnation of draft.proxies.keys()) {
    const failed = draft.observed.proxies[incarnation]?.listeners.find(
      listener => keys.includes(listener.key) && listener.error !== null,
    )
    if (failed !== undefined) return `${failed.key}: ${failed.error}`
  }
  return null
}

/** Keeps the ports that proxies report for listeners that asked for any. */
export function adoptBoundPorts(draft: Draft): void {
  const reported = new Map<string, number>()
  for (const incarnation of draft.proxies.keys()) {
    for (const { key, port } of draft.observed.proxies[incarnation]?.listeners ?? []) {
      if (port !== null) reported.set(key, port)
    }
  }
  // A key outlives its port: what is reported for a fixed port may still be of the one before.
  const misses = ({ key, port, bound }: Readonly<ListenerRecord>): boolean =>
    bound === null && reported.has(key) && (port === 0 || port === reported.get(key))
  const take = (listeners: ListenerRecord[]): void => {
    for (const listener of listeners) if (misses(listener)) listener.bound = reported.get(listener.key) ?? null
  }
  for (const service of draft.services.values()) {
    if (service.listeners.some(misses)) take(draft.services.edit(service.name)?.listeners ?? [])
  }
  for (const deployment of draft.deployments.values()) {
    if (deployment.internal.some(misses)) take(draft.deployments.edit(deployment.id)?.internal ?? [])
  }
}
