import type { Latency, TrafficTotals } from '../../contracts/traffic.ts'
import type { DeploymentView } from '../../contracts/api/deployment.ts'
import type { EventView } from '../../contracts/api/event.ts'
import type { HealthView } from '../../contracts/api/health.ts'
import type { InstanceView } from '../../contracts/api/instance.ts'
import type { NodeView } from '../../contracts/api/node.ts'
import type { OperationView } from '../../contracts/api/operation.ts'
import type { ReceiptView } from '../../contracts/api/receipt.ts'
import type { ServiceView } from '../../contracts/api/service.ts'
import { DEFAULT_UPGRADE_POLICY } from '../../model/upgrade-policy.ts'

// One small service as the calls would show it. The compiler keeps the shapes true, a test the values.

export const DIGEST = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const allowed = { allowed: true } as const

export const INSTANCE: InstanceView = {
  id: 'web_IN_0',
  role: 'web',
  version: '1.0.0',
  status: 'ReadyRole',
  upgradeDomain: 0,
  faultDomain: 0,
  node: 'node-1',
  routing: 'in',
  inFlight: 3,
  restarts: 0,
  pid: 4711,
  detail: 'GET /healthz answered 200',
  drained: false,
  localStorage: [],
}

export const DEPLOYMENT: DeploymentView = {
  id: 'dep-1',
  service: 'guestbook',
  slot: 'production',
  label: 'first',
  package: DIGEST,
  version: '1.0.0',
  status: 'Running',
  createdAt: '2026-01-02T03:04:05.000Z',
  upgradeDomainCount: 5,
  effectiveUpgradeDomainCount: 1,
  platform: { version: null, trustLevel: 'full' },
  locked: false,
  rollbackAllowed: false,
  policy: DEFAULT_UPGRADE_POLICY,
  actions: {
    swap: { allowed: false, code: 'slot_empty', reason: 'the staging slot of guestbook is empty' },
    upgrade: allowed,
    walk: { allowed: false, code: 'no_upgrade', reason: 'there is no upgrade to walk' },
    rollback: { allowed: false, code: 'rollback_not_allowed', reason: 'there is nothing to roll back' },
    scale: allowed,
    suspend: allowed,
    start: { allowed: false, code: 'nothing_to_do', reason: 'it runs already' },
    delete: allowed,
  },
  roles: [
    {
      name: 'web',
      kind: 'web',
      version: '1.0.0',
      size: null,
      cores: 1,
      instances: 1,
      ready: 1,
      endpoints: [{ name: 'http', protocol: 'http', port: 8080, internal: false }],
      certificates: [],
    },
  ],
  instances: [INSTANCE],
}

export const SERVICE: ServiceView = {
  name: 'guestbook',
  slots: { production: DEPLOYMENT, staging: null },
  vips: [
    {
      slot: 'production',
      role: 'web',
      endpoint: 'http',
      protocol: 'http',
      host: '127.0.0.1',
      port: 8080,
      url: 'http://127.0.0.1:8080',
      hostName: 'guestbook.localhost',
      error: null,
      paused: null,
    },
  ],
  operation: null,
  prepared: null,
}

export const OPERATION: OperationView = {
  id: 'op-17',
  kind: 'swap',
  service: 'guestbook',
  status: 'Succeeded',
  by: 'alice',
  startedAt: '2026-01-02T03:04:05.000Z',
  endedAt: '2026-01-02T03:04:05.012Z',
  progress: { step: 'ended', percent: 100, message: 'done' },
}

export const LATENCY: Latency = { count: 310, meanMs: 2.4, p50Ms: 2.1, p90Ms: 4.5, p99Ms: 8, p999Ms: 12 }

const COUNTS: ReceiptView['totals'] = {
  arrived: 312,
  answered: 310,
  refused: 0,
  clientGone: 0,
  held: 4,
  heldMaxMs: 3.1,
  replayed: 0,
  open: 2,
  broken: 0,
  brokenBy: {},
}

export const TRAFFIC_COUNTS: TrafficTotals = {
  ...COUNTS,
  statuses: { '1xx': 0, '2xx': 309, '3xx': 0, '4xx': 1, '5xx': 0 },
  own: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
  bytesIn: 1200,
  bytesOut: 40_300,
  requestsPerSecond: 31,
  duration: LATENCY,
  firstByte: LATENCY,
}

export const RECEIPT: ReceiptView = {
  operation: OPERATION,
  by: 'alice',
  from: { production: 'dep-1', staging: 'dep-2' },
  to: { production: 'dep-2', staging: 'dep-1' },
  complete: true,
  note: null,
  remarks: [],
  traffic: [],
  totals: COUNTS,
  latency: { before: { '1.0.0': LATENCY }, during: { '1.0.0': LATENCY }, after: { '2.0.0': LATENCY } },
  drained: null,
  domains: [],
  switchMs: 9.4,
}

export const EVENT: EventView = {
  seq: 42,
  at: '2026-01-02T03:04:05.012Z',
  kind: 'swapped',
  service: 'guestbook',
  operation: 'op-17',
  message: 'production is dep-2, staging is dep-1',
}

export const NODE: NodeView = {
  name: 'node-1',
  status: 'online',
  use: 'open',
  faultDomain: 0,
  upgradeDomain: null,
  instances: 2,
  host: '127.0.0.1',
  confines: ['no-new-privileges', 'users'],
}

export const HEALTH: HealthView = {
  deployment: 'dep-1',
  state: 'Ok',
  evaluations: [],
  reports: [],
  roles: [
    {
      name: 'web',
      state: 'Ok',
      total: 1,
      unhealthy: 0,
      tolerated: 0,
      instances: [{ id: 'web_IN_0', state: 'Ok', reports: [] }],
    },
  ],
  upgradeDomains: [],
}
