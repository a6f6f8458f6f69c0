import { Type } from 'typebox'
import { FAILURE_REASONS, UPGRADE_MODES } from '../../model/states.ts'
import { UpgradeClockView } from './upgrade-clock.ts'
import { Count, Nullable, OneOf, Text, Time, type View } from './shape.ts'

/** Why an upgrade did not go on, in Service Fabric's words. */
export const FailureView = Type.Object({
  reason: OneOf(FAILURE_REASONS),
  message: Text(),
  at: Time(),
  domain: Nullable(Count()),
})

export const UpgradeStatusView = Type.Object(
  {
    type: OneOf(['Auto', 'Manual', 'Simultaneous']),
    mode: OneOf(UPGRADE_MODES),
    direction: OneOf(['forward', 'back']),
    fromVersion: Text(),
    toVersion: Text(),
    currentUpgradeDomain: Type.Integer(),
    currentUpgradeDomainState: OneOf(['Before', 'During']),
    domains: Type.Array(
      Type.Object({
        domain: Count(),
        state: OneOf(['pending', 'during', 'done', 'skipped']),
        waitingFor: Nullable(Type.String()),
      }),
    ),
    operationId: Text(),
    waitingFor: Nullable(Type.String(), 'What the walk waits for, in words.'),
    verified: Type.Array(Count(), { description: 'Domains whose health check passed (monitored).' }),
    clocks: Type.Array(UpgradeClockView, { description: 'Of the monitored mode, on the way forward.' }),
    failure: Type.Optional(FailureView),
    stuck: Type.Optional(
      Type.Array(Type.Object({ instance: Text(), reason: Text() }), {
        description: 'Instances without which a gate that waits for ever does not open, and why.',
      }),
    ),
  },
  { title: 'UpgradeStatusView' },
)
export type UpgradeStatusView = View<typeof UpgradeStatusView>
