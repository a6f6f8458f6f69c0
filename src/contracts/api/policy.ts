import { Type } from 'typebox'
import { Count, Nullable, OneOf } from './shape.ts'

const Percent = () => Type.Number({ minimum: 0, maximum: 100 })
const Milliseconds = () => Type.Number({ minimum: 0, description: 'Milliseconds.' })

/** How an upgrade judges health, with all defaults filled in: `UpgradePolicy` of src/model, as it is shown. */
export const UpgradePolicyView = Type.Object(
  {
    failureAction: OneOf(['rollback', 'manual']),
    healthCheckWaitDurationMs: Milliseconds(),
    healthCheckStableDurationMs: Milliseconds(),
    healthCheckRetryTimeoutMs: Milliseconds(),
    healthCheckIntervalMs: Milliseconds(),
    upgradeDomainTimeoutMs: Nullable(Milliseconds()),
    upgradeTimeoutMs: Nullable(Milliseconds()),
    considerWarningAsError: Type.Boolean(),
    maxPercentUnhealthy: Percent(),
    roles: Type.Record(Type.String(), Type.Object({ maxPercentUnhealthy: Percent() })),
    baseline: Type.Boolean(),
    gates: Nullable(
      Type.Object({
        minRequests: Count(),
        maxErrorPercent: Nullable(Type.Number()),
        maxP99Ratio: Nullable(Type.Number()),
      }),
    ),
    minReadyPercent: Percent(),
    onStartTimeout: OneOf(['unhealthy', 'continue']),
    allowRoleChanges: Type.Boolean(),
  },
  { title: 'UpgradePolicyView' },
)
