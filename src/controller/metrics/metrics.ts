import type { Registry } from 'prom-client'
import type { PlaneReadings } from '../../contracts/plane-metrics.ts'
import { createMetrics } from '../../core/metrics.ts'
import type { FabricState } from '../../fabric/state.ts'
import { addFabricMetrics } from './fabric-metrics.ts'
import { addLedgerMetrics } from './ledger-metrics.ts'
import { addPlaneMetrics } from './plane-metrics.ts'

/** Everything that `/metrics` tells (docs/metrics.md), read when it is asked for. */
export function createControllerMetrics(
  readState: () => FabricState,
  readPlanes: () => { proxy: string; readings: PlaneReadings }[],
): Registry {
  const registry = createMetrics('controller')
  addLedgerMetrics(registry, readState)
  addPlaneMetrics(registry, readPlanes)
  addFabricMetrics(registry, readState)
  return registry
}
