import type { Registry } from 'prom-client'
import type { AgentReadings } from '../../contracts/agent-metrics.ts'
import type { PlaneReadings } from '../../contracts/plane-metrics.ts'
import type { Clock } from '../../core/clock.ts'
import { createMetrics } from '../../core/metrics.ts'
import type { FabricEvent, FabricState } from '../../fabric/state.ts'
import { addAgentMetrics } from './agent-metrics.ts'
import { addDeploymentMetrics } from './deployment-metrics.ts'
import { addFabricMetrics } from './fabric-metrics.ts'
import { History } from './history-metrics.ts'
import { addLedgerMetrics } from './ledger-metrics.ts'
import { addLastMetrics } from './operation-metrics.ts'
import { addPlaneMetrics } from './plane-metrics.ts'
import { addProcessMetrics } from './process-metrics.ts'

interface Sources {
  readonly state: () => FabricState
  readonly planes: () => { proxy: string; readings: PlaneReadings }[]
  readonly agents: () => { node: string; readings: AgentReadings }[]
  readonly clock: Clock
  /** Calls for every committed state, and for every event after the state it belongs to. */
  readonly follow: (onState: (state: FabricState) => void, onEvent: (event: FabricEvent) => void) => void
}

/** Everything that `/metrics` tells (docs/metrics.md), read when it is asked for, save what only happens: that is counted. */
export function createControllerMetrics({ state, planes, agents, clock, follow }: Sources): Registry {
  const registry = createMetrics('controller')
  addLedgerMetrics(registry, state)
  addPlaneMetrics(registry, planes)
  addAgentMetrics(registry, agents)
  addFabricMetrics(registry, state)
  addDeploymentMetrics(registry, state, clock)
  addLastMetrics(registry, state)
  const history = new History(registry, state())
  follow(
    after => history.committed(after, clock.now().mono),
    event => history.happened(event),
  )
  addProcessMetrics(registry)
  return registry
}
