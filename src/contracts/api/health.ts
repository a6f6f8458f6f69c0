import { Type } from 'typebox'
import { HEALTH_STATES } from '../../model/states.ts'
import { Count, Nullable, OneOf, Text, Time, type View } from './shape.ts'

export const HealthReportView = Type.Object(
  {
    source: Text(),
    property: Text(),
    state: OneOf(HEALTH_STATES),
    description: Text(),
    sequence: Count(),
    at: Time(),
    ttlMs: Nullable(Type.Number()),
    removeWhenExpired: Type.Boolean(),
    expired: Type.Boolean(),
  },
  { title: 'HealthReportView' },
)
export type HealthReportView = View<typeof HealthReportView>

const EVALUATION_KINDS = [
  'Event',
  'ExpiredEvent',
  'InstanceState',
  'RoleInstances',
  'UpgradeDomainInstances',
  'Ledger',
] as const

/** Why something is not Ok. */
const HealthEvaluationView = Type.Object(
  {
    kind: OneOf(EVALUATION_KINDS),
    state: OneOf(HEALTH_STATES),
    description: Text(),
    role: Type.Optional(Text()),
    instance: Type.Optional(Text()),
    domain: Type.Optional(Count()),
  },
  { title: 'HealthEvaluationView' },
)

const InstanceHealthView = Type.Object(
  { id: Text(), state: OneOf(HEALTH_STATES), reports: Type.Array(HealthReportView) },
  { title: 'InstanceHealthView' },
)

const RoleHealthView = Type.Object(
  {
    name: Text(),
    state: OneOf(HEALTH_STATES),
    total: Count(),
    unhealthy: Count(),
    tolerated: Count('How many may be unhealthy.'),
    instances: Type.Array(InstanceHealthView),
  },
  { title: 'RoleHealthView' },
)

/** Aggregated health of a deployment, by its policy. */
export const HealthView = Type.Object(
  {
    deployment: Text(),
    state: OneOf(HEALTH_STATES),
    evaluations: Type.Array(HealthEvaluationView, { description: 'Worst first.' }),
    reports: Type.Array(HealthReportView),
    roles: Type.Array(RoleHealthView),
    upgradeDomains: Type.Array(Type.Object({ domain: Count(), state: OneOf(HEALTH_STATES) }), {
      description: 'Of the domains a running upgrade has completed.',
    }),
  },
  { title: 'HealthView' },
)
export type HealthView = View<typeof HealthView>
