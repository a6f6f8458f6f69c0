import type { Registry } from 'prom-client'
import { AGENT_METRICS, type AgentMetricName, type AgentReadings } from '../../contracts/agent-metrics.ts'
import { addSeries } from './series.ts'

/** What the agents measured last, a series a node, and a result or reason where the metric tells them apart. */
export function addAgentMetrics(registry: Registry, read: () => { node: string; readings: AgentReadings }[]): void {
  for (const key of Object.keys(AGENT_METRICS) as AgentMetricName[] /* keys of the literal */) {
    const { type, name, help, label } = AGENT_METRICS[key]
    const labels = label === null ? ['node'] : ['node', label]
    addSeries(registry, { type, name, help, labels }, put => {
      for (const { node, readings } of read()) {
        for (const [value, count] of Object.entries(readings[key] ?? {})) {
          put(label === null ? { node } : { node, [label]: value }, count)
        }
      }
    })
  }
}
