/**
 * What an agent counts and measures, each under its name in Prometheus, with the node as a label. Adding one is a line
 * here, a line in docs/metrics.md, and the count where it happens (agents/agent-metrics.ts).
 */
interface AgentMetric {
  /** Base units; counters end in `_total`. */
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  /** Tells series of a node apart, by words of the code only. null: one series a node. */
  readonly label: 'result' | 'reason' | null
}

export const AGENT_METRICS = {
  healthChecks: {
    name: 'vipswap_health_checks_total',
    type: 'counter',
    help: 'Probes of instances, by result',
    label: 'result',
  },
  starts: {
    name: 'vipswap_role_starts_total',
    type: 'counter',
    help: 'Processes of roles that were started',
    label: null,
  },
  restarts: {
    name: 'vipswap_role_restarts_total',
    type: 'counter',
    help: 'Processes of roles that ended or failed without being told to, and are started again, by reason',
    label: 'reason',
  },
  processes: {
    name: 'vipswap_agent_instances',
    type: 'gauge',
    help: 'Instances that an agent has',
    label: null,
  },
  appliedAt: {
    name: 'vipswap_agent_last_apply_timestamp_seconds',
    type: 'gauge',
    help: 'When an agent last took an assignment; 0: not since it began',
    label: null,
  },
  cpu: {
    name: 'vipswap_agent_cpu_seconds_total',
    type: 'counter',
    help: 'User and system time of an agent, without its instances',
    label: null,
  },
  memory: {
    name: 'vipswap_agent_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory of an agent',
    label: null,
  },
  descriptors: {
    name: 'vipswap_agent_open_descriptors',
    type: 'gauge',
    help: 'Open file descriptors of an agent',
    label: null,
  },
  lag: {
    name: 'vipswap_agent_event_loop_lag_seconds',
    type: 'gauge',
    help: 'How late an agent came to its work: 99th percentile of the last two seconds',
    label: null,
  },
} as const satisfies Record<string, AgentMetric>

export type AgentMetricName = keyof typeof AGENT_METRICS

/** By metric and value of its label (the empty word where it has none). Counters are since the agent began. */
export type AgentReadings = Readonly<Partial<Record<AgentMetricName, Readonly<Record<string, number>>>>>

/** Why a process is started again. */
export type RestartReason = 'crashed' | 'start-timeout' | 'start-failed'
