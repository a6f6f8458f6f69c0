import type { Registry } from 'prom-client'
import type { PlaneReadings } from '../../src/contracts/plane-metrics.ts'
import type { AgentReadings } from '../../src/contracts/agent-metrics.ts'
import { createControllerMetrics } from '../../src/controller/metrics/metrics.ts'
import { createSystemClock } from '../../src/core/clock.ts'
import type { FabricEvent, FabricState } from '../../src/fabric/state.ts'

/** The controller's metrics over states of the test's making; `commit` says that the next one holds. */
export function metricsOver(
  state: () => FabricState,
  {
    planes = [],
    agents = [],
  }: {
    planes?: { proxy: string; readings: PlaneReadings }[]
    agents?: { node: string; readings: AgentReadings }[]
  } = {},
): {
  registry: Registry
  commit: (after: FabricState, events?: readonly FabricEvent[]) => void
  clock: { ms: number }
} {
  const system = createSystemClock()
  const clock = { ms: 0 }
  let told: { onState: (state: FabricState) => void; onEvent: (event: FabricEvent) => void } | null = null
  const registry = createControllerMetrics({
    state,
    planes: () => planes,
    agents: () => agents,
    clock: { now: () => ({ ...system.now(), mono: clock.ms }) },
    follow: (onState, onEvent) => {
      told = { onState, onEvent }
    },
  })
  const commit = (after: FabricState, events: readonly FabricEvent[] = []): void => {
    told?.onState(after)
    for (const event of events) told?.onEvent(event)
  }
  return { registry, commit, clock }
}
