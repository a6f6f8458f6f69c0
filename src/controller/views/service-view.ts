import type { EventView } from '../../contracts/api/event.ts'
import type { NodeView } from '../../contracts/api/node.ts'
import type { ServiceView, VipView } from '../../contracts/api/service.ts'
import type { Moment } from '../../core/clock.ts'
import { untilOf } from '../../fabric/pause.ts'
import { faultDomainOf } from '../../fabric/placement.ts'
import {
  processesOf,
  type FabricEvent,
  type FabricState,
  type ListenerRecord,
  type NodeRecord,
  type ServiceRecord,
} from '../../fabric/state.ts'
import type { Slot } from '../../model/slot.ts'
import { viewDeployment } from './deployment-view.ts'
import { viewOperation } from './operation-view.ts'

/** One service with its two slots, addresses and what is going on. */
export function viewService(state: FabricState, service: ServiceRecord, now: Moment): ServiceView {
  const inSlot = (slot: Slot) => {
    const deployment = state.deployments[service.slots[slot] ?? '']
    return deployment === undefined ? null : viewDeployment(state, deployment, slot, now)
  }
  const running = Object.values(state.operations)
    .filter(operation => operation.service === service.name && operation.status === 'InProgress')
    .toSorted((a, b) => b.startedAt - a.startedAt)[0]
  return {
    name: service.name,
    slots: { production: inSlot('production'), staging: inSlot('staging') },
    vips: service.listeners.flatMap(listener => viewVip(state, service, listener)),
    operation: running === undefined ? null : viewOperation(state, running),
    prepared: service.prepared === null ? null : { operation: service.prepared.operation },
  }
}

function viewVip(state: FabricState, { paused, hostNames }: ServiceRecord, listener: ListenerRecord): VipView[] {
  if (listener.slot === null) return []
  const reports = Object.values(state.observed.proxies).flatMap(proxy =>
    proxy.listeners.filter(seen => seen.key === listener.key),
  )
  const error = reports.find(report => report.error !== null)?.error ?? null
  const port = listener.bound
  const pause = paused?.[listener.slot]
  const host = listener.host.includes(':') ? `[${listener.host}]` : listener.host
  return [
    {
      slot: listener.slot,
      role: listener.role,
      endpoint: listener.endpoint,
      protocol: listener.protocol,
      host: listener.host,
      hostName: hostNames[listener.slot],
      port,
      url: port === null ? null : `${listener.protocol}://${host}:${port}`,
      error,
      paused: pause === undefined ? null : { until: new Date(untilOf(pause)).toISOString() },
    },
  ]
}

export function viewNode(state: FabricState, node: NodeRecord): NodeView {
  const instances = Object.values(state.roles).flatMap(role =>
    role.instances.flatMap(processesOf).filter(process => process.node === node.name),
  )
  return {
    name: node.name,
    status: state.observed.nodes[node.name]?.online === true ? 'online' : 'offline',
    use: useOf(node, instances.length),
    faultDomain: faultDomainOf(node),
    upgradeDomain: node.facts.upgradeDomain,
    instances: instances.length,
    host: node.facts.host,
    confines: [...(node.facts.confines ?? [])],
  }
}

function useOf({ lost, draining }: NodeRecord, instances: number): NodeView['use'] {
  if (lost === true) return 'lost'
  if (draining !== true) return 'open'
  return instances > 0 ? 'draining' : 'drained'
}

export function viewEvent(event: FabricEvent): EventView {
  const { seq, at, kind, message, ...about } = event
  const known = Object.fromEntries(Object.entries(about).filter(([, value]) => value !== undefined))
  return { seq, at: new Date(at).toISOString(), kind, ...known, message }
}
