import type { Slot } from '../../model/common.ts'
import { own } from '../../core/own.ts'
import { SLOTS } from '../../model/common.ts'
import type { EndpointDefinition, ServiceDefinition, VipAddresses } from '../../model/definition.ts'
import type { Draft } from '../draft.ts'
import { specOf } from '../instances.ts'
import type { ListenerRecord, ServiceRecord } from '../state.ts'

/** The addresses a service needs for the endpoints of these definitions, keeping what is bound already. */
export function listenersFor(service: Readonly<ServiceRecord>, endpoints: readonly RoleEndpoint[]): ListenerRecord[] {
  const wanted: ListenerRecord[] = []
  for (const { role, endpoint } of endpoints) {
    if (endpoint.internal) continue
    for (const slot of SLOTS) {
      const key = `${service.name}/${slot}/${role}/${endpoint.name}`
      if (wanted.some(listener => listener.key === key)) continue
      const before = service.listeners.find(listener => listener.key === key)
      const { host, portOffset } = service.vips[slot]
      const port = endpoint.port === 0 ? 0 : endpoint.port + portOffset
      wanted.push({
        key,
        slot,
        role,
        endpoint: endpoint.name,
        protocol: endpoint.protocol === 'tcp' ? 'tcp' : 'http',
        host,
        port,
        bound: before !== undefined && before.port === port && before.host === host ? before.bound : null,
      })
    }
  }
  return wanted
}

export interface RoleEndpoint {
  role: string
  endpoint: EndpointDefinition
}

/** The endpoints of what is in a service's slots now; `leaving` is not counted. */
export function endpointsInUse(draft: Draft, service: Readonly<ServiceRecord>, leaving: string | null): RoleEndpoint[] {
  const occupants = SLOTS.map(slot => service.slots[slot]).filter(id => id !== null && id !== leaving)
  return occupants.flatMap(id => endpointsOfDeployment(draft, id ?? ''))
}

export function endpointsOfDeployment(draft: Draft, deployment: string): RoleEndpoint[] {
  return draft
    .rolesOf(deployment)
    .flatMap(role => specOf(role, role.target).definition.endpoints.map(endpoint => ({ role: role.name, endpoint })))
}

export function endpointsOfDefinition(definition: ServiceDefinition): RoleEndpoint[] {
  return Object.values(definition.roles).flatMap(role =>
    role.endpoints.map(endpoint => ({ role: role.name, endpoint })),
  )
}

/** Internal listeners of a deployment: any free loopback port, kept for its life. */
export function internalListeners(
  deployment: string,
  service: string,
  definition: ServiceDefinition,
): ListenerRecord[] {
  return endpointsOfDefinition(definition)
    .filter(({ endpoint }) => endpoint.internal)
    .map(({ role, endpoint }) => ({
      key: `${service}/${deployment}/${role}/${endpoint.name}`,
      slot: null,
      role,
      endpoint: endpoint.name,
      protocol: endpoint.protocol === 'tcp' ? 'tcp' : 'http',
      host: '127.0.0.1',
      port: 0,
      bound: null,
    }))
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
