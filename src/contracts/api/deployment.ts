import { Type } from 'typebox'
import { DEPLOYMENT_STATUSES } from '../../model/states.ts'
import { InstanceView } from './instance.ts'
import { UpgradePolicyView } from './policy.ts'
import { Code } from './problem.ts'
import { RoleView } from './role.ts'
import { Count, Nullable, OneOf, Text, Time, type View } from './shape.ts'
import { SlotName } from './slot.ts'
import { UpgradeStatusView } from './upgrade-status.ts'

/** What may be done now, from the one permission table; `reason` says why not. */
export const ActionView = Type.Object(
  { allowed: Type.Boolean(), code: Type.Optional(Code), reason: Type.Optional(Text('Why not.')) },
  { title: 'ActionView' },
)
export type ActionView = View<typeof ActionView>

const Actions = Type.Object({
  swap: ActionView,
  upgrade: ActionView,
  walk: ActionView,
  rollback: ActionView,
  scale: ActionView,
  suspend: ActionView,
  start: ActionView,
  delete: ActionView,
})
export type ActionName = keyof View<typeof Actions>

export const DeploymentView = Type.Object(
  {
    id: Text(),
    service: Text(),
    slot: SlotName,
    label: Text(),
    package: Text('Its digest.'),
    version: Text(),
    signedBy: Type.Optional(Type.Array(Text(), { description: 'The trusted keys that signed the package, by name.' })),
    status: OneOf(DEPLOYMENT_STATUSES),
    createdAt: Time(),
    upgradeDomainCount: Count('As the definition says.'),
    effectiveUpgradeDomainCount: Count('Domains that hold an instance: a walk has no more.'),
    platform: Type.Object({ version: Nullable(Type.String()), trustLevel: OneOf(['full', 'partial']) }),
    locked: Type.Boolean(),
    rollbackAllowed: Type.Boolean(),
    rollbackBlockedBy: Type.Optional(Text()),
    upgradeStatus: Type.Optional(UpgradeStatusView),
    policy: UpgradePolicyView,
    actions: Actions,
    roles: Type.Array(RoleView),
    instances: Type.Array(InstanceView),
  },
  { title: 'DeploymentView' },
)
export type DeploymentView = View<typeof DeploymentView>
