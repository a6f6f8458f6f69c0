import { Type, type Static } from 'typebox'
import { closed, Duration, Named } from './common.ts'

const Percent = (description: string) => Type.Number({ minimum: 0, maximum: 100, description })
const Limit = (description: string) => Type.Union([Type.Literal('none'), Duration(description)], { description })

/** A policy of an upgrade as a person writes it (`upgrade --policy FILE`); what is left out stays as it was. */
export const UpgradePolicySchema = Type.Object(
  {
    extends: Type.Optional(
      Type.Union([Type.Literal('default'), Type.Literal('service-fabric')], {
        description: 'Where what is not written comes from. Default: default; of a running upgrade, its own policy.',
      }),
    ),
    failureAction: Type.Optional(
      Type.Union([Type.Literal('rollback'), Type.Literal('manual')], {
        description: 'What a monitored upgrade does that fails. Default: rollback.',
      }),
    ),
    healthCheckWaitDuration: Type.Optional(Duration('Before the first check of a domain. Default: 0s.')),
    healthCheckStableDuration: Type.Optional(Duration('For so long health must hold. Default: 10s.')),
    healthCheckRetryTimeout: Type.Optional(
      Duration('For so long checks may be unhealthy without a break. Default: 60s.'),
    ),
    healthCheckInterval: Type.Optional(Duration('Between two checks. Default: 1s.')),
    upgradeDomainTimeout: Type.Optional(Limit('How long one domain may take. Default: none.')),
    upgradeTimeout: Type.Optional(Limit('How long the whole may take. Default: none.')),
    considerWarningAsError: Type.Optional(Type.Boolean({ description: 'Default: false.' })),
    maxPercentUnhealthy: Type.Optional(Percent("Of each role's instances, rounded up. Default: 0.")),
    roles: Type.Optional(
      Named(Type.Object({ maxPercentUnhealthy: Percent("Of this role's instances.") }, closed), {
        description: 'Roles judged otherwise.',
      }),
    ),
    baseline: Type.Optional(
      Type.Boolean({ description: 'What was unhealthy before the upgrade does not fail it. Default: false.' }),
    ),
    gates: Type.Optional(
      Type.Union(
        [
          Type.Literal(false),
          Type.Object(
            {
              minRequests: Type.Optional(
                Type.Integer({ minimum: 1, maximum: 1e9, description: 'Fewer say nothing. Default: 100.' }),
              ),
              maxErrorPercent: Type.Optional(Percent('Of the requests to the new version.')),
              maxP99Ratio: Type.Optional(
                Type.Number({ minimum: 0.01, maximum: 1000, description: 'p99 of the new version over the old.' }),
              ),
            },
            closed,
          ),
        ],
        { description: 'Judges the new version by what the proxies counted. Default: false.' },
      ),
    ),
    minReadyPercent: Type.Optional(
      Percent("Mode auto: of each role's instances on the new version that must be ready. Default: 100."),
    ),
    onStartTimeout: Type.Optional(
      Type.Union([Type.Literal('unhealthy'), Type.Literal('continue')], {
        description: 'Mode auto: what an instance is that was not ready within its startTimeout. Default: unhealthy.',
      }),
    ),
    allowRoleChanges: Type.Optional(
      Type.Boolean({ description: 'Roles may be added, changed and removed in place. Default: true.' }),
    ),
  },
  { ...closed, title: 'Upgrade policy', description: 'How an upgrade judges health between domains.' },
)

export type UpgradePolicySource = Static<typeof UpgradePolicySchema>
