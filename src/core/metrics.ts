import { Registry } from 'prom-client'

/** A registry of its own per process, so that nothing is global; every metric is named `vipswap_…`, in base units. */
export function createMetrics(component: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ component })
  return registry
}
