import type { Slot } from '../../model/common.ts'
import { DEFAULT_OPTIONS } from '../../contracts/routing.ts'
import { own } from '../../core/own.ts'
import { SLOTS } from '../../model/common.ts'
import type { EndpointDefinition, ServiceDefinition, VipAddresses } from '../../model/definition.ts'
import type { Draft } from '../draft.ts'
import { specOf } from '../instances.ts'
import type { ListenerRecord, ServiceRecord } from '../state.ts'

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
    production: endpointsOfDeployment(draft, service.slots.production ?? ''),
    staging: endpointsOfDeployment(draft, service.slots.staging ?? ''),
  }
  const wanted: ListenerRecord[] = []
  for (const named of [...inSlot.production, ...inSlot.staging]) {
    const isIt = (other: RoleEndpoint): boolean =>
      other.role === named.role && other.endpoint.name === named.endpoint.name && !other.endpoint.internal
    for (const slot of SLOTS) {
      const key = `${service.name}/${slot}/${named.role}/${named.endpoint.name}`
      const found = inSlot[slot].find(isIt) ?? inSlot[slot === 'staging' ? 'production' : 'staging'].find(isIt)
      if (found === undefined || wanted.some(listener => listener.key === key)) continue
      // Its own deployment has that port under another name: there is nothing to keep for the other's.
      if (!inSlot[slot].some(isIt) && hasPort(inSlot[slot], found.endpoint.port)) continue
      wanted.push(listenerOf(service, slot, key, found))
    }
  }
  return wanted
}

function hasPort(endpoints: readonly RoleEndpoint[], port: number): boolean {
  return port !== 0 && endpoints.some(({ endpoint }) => !endpoint.internal && endpoint.port === port)
}

function listenerOf(
  service: Readonly<ServiceRecord>,
  slot: Slot,
  key: string,
  { role, endpoint }: RoleEndpoint,
): ListenerRecord {
  const before = service.listeners.find(listener => listener.key === key)
  const { host, portOffset } = service.vips[slot]
  const port = endpoint.port === 0 ? 0 : endpoint.port + portOffset
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

export function endpointsOfDeployment(draft: Draft, deployment: string): RoleEndpoint[] {
  return draft
    .rolesOf(deployment)
    .flatMap(role => specOf(role, role.target).definition.endpoints.map(endpoint => ({ role: role.name, endpoint })))
}

/** Internal listeners of a deployment: any free loopback port, kept for its life. */
export function internalListeners(
  deployment: string,
  service: string,
  definition: ServiceDefinition,
): ListenerRecord[] {
  return Object.values(definition.roles).flatMap(role =>
    role.endpoints
      .filter(endpoint => endpoint.internal)
      .map(endpoint => ({
        key: `${service}/${deployment}/${role.name}/${endpoint.name}`,
        slot: null,
        role: role.name,
        endpoint: endpoint.name,
        protocol: endpoint.protocol,
        tls: null,
        options: DEFAULT_OPTIONS,
        lent: false,
        host: '127.0.0.1',
        port: 0,
        bound: null,
      })),
  )
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
