import { Counter, Gauge, type Registry } from 'prom-client'
import { createMetrics } from '../core/metrics.ts'
import type { LedgerRow } from '../contracts/ledger.ts'
import { isReady, specOf } from '../fabric/instances.ts'
import type { FabricState } from '../fabric/state.ts'

/** Prometheus metrics of the fabric, read from its state when asked for. */
export function createControllerMetrics(read: () => FabricState): Registry {
  const registry = createMetrics('controller')
  counterOfLedger(registry, read, 'vipswap_requests_total', 'Requests that reached the proxy', row => row.arrived)
  counterOfLedger(
    registry,
    read,
    'vipswap_requests_answered_total',
    'Requests answered whole by an instance',
    row => row.answered,
  )
  counterOfLedger(registry, read, 'vipswap_requests_held_total', 'Requests that were held', row => row.held)
  counterOfLedger(
    registry,
    read,
    'vipswap_requests_replayed_total',
    'Requests sent to another instance',
    row => row.replayed,
  )
  registry.registerMetric(
    new Counter({
      name: 'vipswap_requests_broken_total',
      help: 'Requests that were not answered whole by an instance; must stay 0 in planned work',
      labelNames: ['vip', 'deployment', 'version', 'cause'],
      registers: [],
      collect() {
        this.reset()
        for (const row of rowsOf(read())) {
          const { vip, deployment, version } = row
          for (const [cause, count] of Object.entries(row.broken)) this.inc({ vip, deployment, version, cause }, count)
        }
      },
    }),
  )
  registry.registerMetric(
    new Gauge({
      name: 'vipswap_instance_up',
      help: '1 while the instance is ready and in the routing table',
      labelNames: ['service', 'deployment', 'role', 'instance', 'upgrade_domain', 'version'],
      registers: [],
      collect() {
        this.reset()
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
            this.set(labels, isReady(instance) ? 1 : 0)
          }
        }
      },
    }),
  )
  registry.registerMetric(
    new Gauge({
      name: 'vipswap_operations',
      help: 'Operations kept, by kind and status',
      labelNames: ['kind', 'status'],
      registers: [],
      collect() {
        this.reset()
        for (const { kind, status } of Object.values(read().operations)) this.inc({ kind, status })
      },
    }),
  )
  registry.registerMetric(
    new Gauge({
      name: 'vipswap_peers_connected',
      help: 'Proxies and agents connected to the controller',
      labelNames: ['kind'],
      registers: [],
      collect() {
        const { observed } = read()
        this.set({ kind: 'proxy' }, Object.values(observed.proxies).filter(proxy => proxy.online).length)
        this.set({ kind: 'agent' }, Object.values(observed.nodes).filter(node => node.online).length)
      },
    }),
  )
  return registry
}

function counterOfLedger(
  registry: Registry,
  read: () => FabricState,
  name: string,
  help: string,
  countOf: (row: LedgerRow) => number,
): void {
  registry.registerMetric(
    new Counter({
      name,
      help,
      labelNames: ['vip', 'deployment', 'version'],
      registers: [],
      collect() {
        this.reset()
        for (const row of rowsOf(read())) {
          const { vip, deployment, version } = row
          this.inc({ vip, deployment, version }, countOf(row))
        }
      },
    }),
  )
}

function rowsOf(state: FabricState): LedgerRow[] {
  return Object.values(state.observed.proxies).flatMap(proxy => proxy.status?.ledger.rows ?? [])
}
