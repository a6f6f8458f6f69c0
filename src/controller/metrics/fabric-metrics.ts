import type { Registry } from 'prom-client'
import { ownVersion } from '../../core/version.ts'
import { specOf } from '../../fabric/instances.ts'
import { isReady } from '../../fabric/seen.ts'
import type { FabricState } from '../../fabric/state.ts'
import { addSeries } from './series.ts'

/** Instances, operations and peers as the controller knows them. */
export function addFabricMetrics(registry: Registry, read: () => FabricState): void {
  const version = ownVersion()
  addSeries(
    registry,
    { type: 'gauge', name: 'vipswap_build_info', help: '1, with the versions that run', labels: ['version', 'node'] },
    put => put({ version, node: process.version }, 1),
  )
  addSeries(
    registry,
    {
      type: 'gauge',
      name: 'vipswap_instance_up',
      help: '1 while the instance is ready and in the routing table',
      labels: ['service', 'deployment', 'role', 'instance', 'upgrade_domain', 'version'],
    },
    put => {
      const state = read()
      for (const role of Object.values(state.roles)) {
        for (const instance of role.instances) {
          const labels = {
            service: state.deployments[role.deployment]?.service ?? '',
            deployment: role.deployment,
            role: role.name,
            instance: instance.id,
            upgrade_domain: String(instance.upgradeDomain),
            version: specOf(role, instance.spec).version,
          }
          put(labels, isReady(instance) ? 1 : 0)
        }
      }
    },
  )
  addSeries(
    registry,
    {
      type: 'gauge',
      name: 'vipswap_instance_in_flight',
      help: 'Requests and tunnels that the proxies have open on an instance',
      labels: ['deployment', 'instance'],
    },
    put => {
      const state = read()
      for (const role of Object.values(state.roles)) {
        for (const { id } of role.instances) put({ deployment: role.deployment, instance: id }, 0)
      }
      for (const proxy of Object.values(state.observed.proxies)) {
        for (const [target, count] of Object.entries(proxy.status?.inFlight ?? {})) {
          // `deployment/instance#incarnation.attempt`
          const [deployment = '', instance = ''] = target.slice(0, target.lastIndexOf('#')).split('/')
          put({ deployment, instance }, count)
        }
      }
    },
  )
  addSeries(
    registry,
    {
      type: 'gauge',
      name: 'vipswap_operations',
      help: 'Operations kept, by kind and status',
      labels: ['kind', 'status'],
    },
    put => {
      for (const { kind, status } of Object.values(read().operations)) put({ kind, status }, 1)
    },
  )
  addSeries(
    registry,
    {
      type: 'gauge',
      name: 'vipswap_peers_connected',
      help: 'Proxies and agents connected to the controller',
      labels: ['kind'],
    },
    put => {
      const { observed } = read()
      put({ kind: 'proxy' }, Object.values(observed.proxies).filter(proxy => proxy.online).length)
      put({ kind: 'agent' }, Object.values(observed.nodes).filter(node => node.online).length)
    },
  )
}
