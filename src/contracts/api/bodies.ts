import { Type, type Static } from 'typebox'
import { Duration } from '../../model/common.ts'
import { HEALTH_STATES, UPGRADE_MODES } from '../../model/states.ts'
import type { UpgradePolicySource } from '../../model/upgrade-policy-schema.ts'
import type { PolicyName } from '../../model/upgrade-policy.ts'
import { closed } from './shape.ts'

// Request bodies of the admin API (/v1): checked at the edge, and the source of the types.

const Digest = Type.String({
  pattern: '^[0-9a-f]{64}$',
  description: 'A package, by the digest that POST /v1/packages answered.',
})
const Mode = Type.Enum([...UPGRADE_MODES])
/** Checked behind the edge, where each fault can be named: by the schema of policy files. */
const Policy = Type.Unsafe<PolicyName | UpgradePolicySource>({
  description: 'default, service-fabric, or what a policy file says (docs/schema/upgrade-policy.schema.json).',
})
const Configuration = Type.Object(
  {
    roles: Type.Record(
      Type.String(),
      Type.Object(
        {
          instances: Type.Optional(Type.Integer({ minimum: 0, maximum: 10000 })),
          settings: Type.Optional(Type.Record(Type.String(), Type.String())),
          slotSettings: Type.Optional(
            Type.Record(
              Type.String(),
              Type.Object({ production: Type.Optional(Type.String()), staging: Type.Optional(Type.String()) }, closed),
              { description: 'Of settings that belong to a slot, by slot.' },
            ),
          ),
          certificates: Type.Optional(
            Type.Record(
              Type.String(),
              Type.String({ description: 'PEM text: the certificate, its intermediates, its private key.' }),
            ),
          ),
        },
        closed,
      ),
    ),
  },
  closed,
)

export const CreateBody = Type.Object(
  {
    package: Digest,
    label: Type.Optional(Type.String({ maxLength: 100 })),
    configuration: Type.Optional(Configuration),
    replace: Type.Optional(Type.Boolean({ description: 'Drain and delete what is in the slot first.' })),
  },
  closed,
)
export const SwapBody = Type.Object(
  {
    phase: Type.Optional(Type.Union([Type.Literal('prepare'), Type.Literal('commit'), Type.Literal('cancel')])),
    expect: Type.Optional(
      Type.Object(
        { production: Type.Union([Type.String(), Type.Null()]), staging: Type.Union([Type.String(), Type.Null()]) },
        closed,
      ),
    ),
    verify: Type.Optional(Type.Boolean({ description: 'With probe traffic of its own; the first loss swaps back.' })),
  },
  closed,
)
export const UpgradeBody = Type.Object(
  {
    package: Digest,
    mode: Type.Optional(Mode),
    policy: Type.Optional(Policy),
    role: Type.Optional(Type.String()),
    force: Type.Optional(Type.Boolean()),
    restartUnchanged: Type.Optional(Type.Boolean()),
    overlap: Type.Optional(Type.Boolean()),
    allowRoleChanges: Type.Optional(
      Type.Boolean({
        default: true,
        description: 'False: roles the package lacks are kept, changed ones are refused.',
      }),
    ),
    configuration: Type.Optional(Configuration),
    label: Type.Optional(Type.String({ maxLength: 100 })),
    verify: Type.Optional(
      Type.Boolean({ description: 'With probe traffic of its own; the first loss rolls it back.' }),
    ),
  },
  closed,
)
export const ChangeUpgradeBody = Type.Object({ mode: Type.Optional(Mode), policy: Type.Optional(Policy) }, closed)
export const WalkBody = Type.Object({ domain: Type.Optional(Type.Integer({ minimum: 0, maximum: 19 })) }, closed)
export const RollbackBody = Type.Object(
  { mode: Type.Optional(Type.Union([Type.Literal('auto'), Type.Literal('manual')])) },
  closed,
)
export const ConfigurationBody = Type.Object({ configuration: Configuration, mode: Type.Optional(Mode) }, closed)
export const StatusBody = Type.Object(
  { status: Type.Union([Type.Literal('Running'), Type.Literal('Suspended')]) },
  closed,
)
/** A report of health from outside; it replaces the last one of the same source and property. */
export const HealthBody = Type.Object(
  {
    source: Type.String({ minLength: 1, maxLength: 200, description: 'Who reports; not System.*.' }),
    property: Type.String({ minLength: 1, maxLength: 200, description: 'What about.' }),
    state: Type.Enum([...HEALTH_STATES]),
    ttl: Type.Optional(Duration('For how long it holds; absent: for ever.')),
    removeWhenExpired: Type.Optional(Type.Boolean({ description: 'Else it counts as Error once it has expired.' })),
    sequence: Type.Optional(Type.Integer({ minimum: 0, description: 'Above that of the last; absent: the next.' })),
    description: Type.Optional(Type.String({ maxLength: 1000 })),
    instance: Type.Optional(Type.String({ description: 'Of one instance; absent: of the deployment.' })),
  },
  closed,
)
/** What would an operation do: the body it would have, under its name. Without either it is the swap. */
export const PlanBody = Type.Object({ swap: Type.Optional(SwapBody), upgrade: Type.Optional(UpgradeBody) }, closed)

export type CreateBody = Static<typeof CreateBody>
export type SwapBody = Static<typeof SwapBody>
export type UpgradeBody = Static<typeof UpgradeBody>
export type ChangeUpgradeBody = Static<typeof ChangeUpgradeBody>
export type WalkBody = Static<typeof WalkBody>
export type RollbackBody = Static<typeof RollbackBody>
export type ConfigurationBody = Static<typeof ConfigurationBody>
export type StatusBody = Static<typeof StatusBody>
/** As sent: certificates are PEM text here, and ids behind the edge. */
export type ConfigurationText = Static<typeof Configuration>
export type HealthBody = Static<typeof HealthBody>
export type PlanBody = Static<typeof PlanBody>
