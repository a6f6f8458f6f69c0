/**
 * What a worker of the data plane counts and measures besides the ledger, each under its name in Prometheus. Adding one is
 * a line here, a line in docs/metrics.md, and `plane.metrics.add` or `.report` where it happens (proxy/metrics).
 */
export interface PlaneMetric {
  /** Base units; counters end in `_total`. */
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  /**
   * Tells series apart: `worker` is filled in by the holder; others by whoever counts, from names in the routing table
   * or the code only (never from what a client sends). null: one series a proxy.
   */
  readonly label: 'worker' | 'pool' | 'cause' | null
  /** Of what workers say. `max` for what each of them knows of the same things; else they add up. */
  readonly over?: 'max'
}

export const PLANE_METRICS = {
  connections: {
    name: 'vipswap_connections',
    type: 'gauge',
    help: 'Connections of clients that are open',
    label: null,
  },
  heldRequests: {
    name: 'vipswap_held_requests',
    type: 'gauge',
    help: 'Requests that wait for an instance to become ready',
    label: null,
  },
  tunnels: {
    name: 'vipswap_tunnels',
    type: 'gauge',
    help: 'WebSockets, other upgrades and tcp connections',
    label: null,
  },
  tunnelBytesReceived: {
    name: 'vipswap_tunnel_received_bytes_total',
    type: 'counter',
    help: 'Bytes that tunnels took from clients to instances',
    label: null,
  },
  tunnelBytesSent: {
    name: 'vipswap_tunnel_sent_bytes_total',
    type: 'counter',
    help: 'Bytes that tunnels took from instances to clients',
    label: null,
  },
  upstreamIdle: {
    name: 'vipswap_upstream_idle_connections',
    type: 'gauge',
    help: 'Connections to instances kept for the next request',
    label: null,
  },
  connectFailures: {
    name: 'vipswap_upstream_connect_failures_total',
    type: 'counter',
    help: 'Connections to instances that were refused or timed out',
    label: null,
  },
  replaysDenied: {
    name: 'vipswap_replays_denied_total',
    type: 'counter',
    help: 'Requests not sent to another instance because the retry budget was spent',
    label: null,
  },
  accessLogDropped: {
    name: 'vipswap_access_log_dropped_lines_total',
    type: 'counter',
    help: 'Lines of the access log lost because the disk was too slow',
    label: null,
  },
  workerRestarts: {
    name: 'vipswap_worker_restarts_total',
    type: 'counter',
    help: 'Worker processes that ended without being told to',
    label: null,
  },
  workerCpu: {
    name: 'vipswap_worker_cpu_seconds_total',
    type: 'counter',
    help: 'User and system time of a worker process',
    label: 'worker',
  },
  workerMemory: {
    name: 'vipswap_worker_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory of a worker process',
    label: 'worker',
  },
  workerDescriptors: {
    name: 'vipswap_worker_open_descriptors',
    type: 'gauge',
    help: 'Open file descriptors of a worker process',
    label: 'worker',
  },
  workerLag: {
    name: 'vipswap_worker_event_loop_lag_seconds',
    type: 'gauge',
    help: 'How late a worker came to its work: 99th percentile of the last seconds',
    label: 'worker',
  },
  poolReady: {
    name: 'vipswap_pool_ready',
    type: 'gauge',
    help: 'Instances of a pool that are in the routing table',
    label: 'pool',
    over: 'max',
  },
  poolEjected: {
    name: 'vipswap_pool_ejected',
    type: 'gauge',
    help: 'Of those, passed over for their failures; of the worker that passes over most',
    label: 'pool',
    over: 'max',
  },
  poolWaiting: {
    name: 'vipswap_pool_waiting',
    type: 'gauge',
    help: 'Requests that wait for an instance of the pool',
    label: 'pool',
  },
  poolWaitingBytes: {
    name: 'vipswap_pool_waiting_bytes',
    type: 'gauge',
    help: 'Bytes kept for them',
    label: 'pool',
  },
  poolEjections: {
    name: 'vipswap_pool_ejections_total',
    type: 'counter',
    help: 'Instances passed over for their failures, by each worker',
    label: 'pool',
  },
  poolEjectionsDenied: {
    name: 'vipswap_pool_ejections_denied_total',
    type: 'counter',
    help: 'Instances that failed as often but were kept, since too many are passed over already',
    label: 'pool',
  },
  poolReadmissions: {
    name: 'vipswap_pool_readmissions_total',
    type: 'counter',
    help: 'Instances taken back after they were passed over',
    label: 'pool',
  },
  poolAllEjected: {
    name: 'vipswap_pool_all_ejected_total',
    type: 'counter',
    help: 'Requests given to an instance that is passed over because all are',
    label: 'pool',
  },
  poolHeld: {
    name: 'vipswap_pool_held_total',
    type: 'counter',
    help: 'Requests that waited because no instance took requests',
    label: 'pool',
  },
  poolQueued: {
    name: 'vipswap_pool_queued_total',
    type: 'counter',
    help: 'Requests that waited because every instance was busy',
    label: 'pool',
  },
  poolHoldFull: {
    name: 'vipswap_pool_hold_full_total',
    type: 'counter',
    help: 'Requests answered 503 because too many waited for a ready instance',
    label: 'pool',
  },
  poolQueueFull: {
    name: 'vipswap_pool_queue_full_total',
    type: 'counter',
    help: 'Requests answered 503 because too many waited for a free instance',
    label: 'pool',
  },
  poolWaitExpired: {
    name: 'vipswap_pool_wait_expired_total',
    type: 'counter',
    help: 'Requests answered 503 because they had waited too long',
    label: 'pool',
  },
  poolRetries: {
    name: 'vipswap_pool_retries_total',
    type: 'counter',
    help: 'Requests given to another instance after a failure',
    label: 'pool',
  },
  poolRetriesDenied: {
    name: 'vipswap_pool_retries_denied_total',
    type: 'counter',
    help: 'Requests not given to another instance because the retry budget was spent',
    label: 'pool',
  },
  poolAffinityMoved: {
    name: 'vipswap_pool_affinity_moved_total',
    type: 'counter',
    help: 'Answers of another instance than the cookie of the client named',
    label: 'pool',
  },
  intakeFailures: {
    name: 'vipswap_intake_failures_total',
    type: 'counter',
    help: 'Connections that came to nothing before a request, by cause',
    label: 'cause',
  },
} as const satisfies Record<string, PlaneMetric>

export type PlaneMetricName = keyof typeof PLANE_METRICS

/** By metric and label value ('' where there is no label). What is zero may be left out. */
export type PlaneReadings = Partial<Record<PlaneMetricName, Readonly<Record<string, number>>>>
