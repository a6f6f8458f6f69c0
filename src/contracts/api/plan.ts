import { Type } from 'typebox'
import { UPGRADE_MODES } from '../../model/states.ts'
import { Blocker } from './problem.ts'
import { Count, Nullable, OneOf, Text, type View } from './shape.ts'

/** A change with its verdicts from the table of allowed changes. */
const ChangePlanView = Type.Object(
  { kind: Text(), what: Text(), inPlace: Text(), swap: Text(), redeploy: Text() },
  { title: 'ChangePlanView' },
)
export type ChangePlanView = View<typeof ChangePlanView>

const RolePlanView = Type.Object(
  {
    name: Text(),
    change: OneOf(['added', 'removed', 'changed', 'scaled', 'unchanged']),
    fromVersion: Nullable(Type.String()),
    toVersion: Nullable(Type.String()),
    instances: Type.Object({ from: Count(), to: Count() }),
    lowWater: Count('The fewest instances that serve at any time of the walk, of those that are there together.'),
    changes: Type.Array(ChangePlanView),
  },
  { title: 'RolePlanView' },
)
export type RolePlanView = View<typeof RolePlanView>

const UpgradePlanView = Type.Object(
  {
    mode: OneOf(UPGRADE_MODES),
    fromVersion: Text(),
    toVersion: Text(),
    signedBy: Type.Optional(Type.Array(Text(), { description: 'The trusted keys that signed the package, by name.' })),
    domains: Type.Object(
      { declared: Count(), effective: Count() },
      { description: 'As service.yaml says, and at most as many as the largest role has instances.' },
    ),
    moves: Type.Array(Type.Object({ domain: Count(), instances: Type.Array(Text()) }), {
      description: 'The domains that are walked, in order; instances that restart or come with them.',
    }),
    changes: Type.Array(ChangePlanView, { description: 'Of the service as a whole.' }),
    roles: Type.Array(RolePlanView),
    cores: Type.Object(
      { before: Type.Number(), after: Type.Number(), quota: Nullable(Type.Number()) },
      { description: 'At most while it is walked, over all services and both slots. `quota` null: no bound.' },
    ),
  },
  { title: 'UpgradePlanView' },
)
export type UpgradePlanView = View<typeof UpgradePlanView>

/** What a command would do. */
export const PlanView = Type.Object(
  {
    outcome: OneOf(['none', 'changes', 'refused']),
    blockers: Type.Array(Blocker),
    warnings: Type.Array(Text()),
    steps: Type.Array(Text()),
    upgrade: Type.Optional(UpgradePlanView),
  },
  { title: 'PlanView' },
)
export type PlanView = View<typeof PlanView>
