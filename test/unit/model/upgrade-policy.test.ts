import t from 'tap'
import { loadUpgradePolicy } from '../../../src/model/load-upgrade-policy.ts'
import { DEFAULT_UPGRADE_POLICY, NAMED_POLICIES, resolvePolicy } from '../../../src/model/upgrade-policy.ts'

function faults(text: string): string[] {
  const loaded = loadUpgradePolicy('policy.yaml', text)
  return 'faults' in loaded ? loaded.faults.map(({ message }) => message) : []
}

t.test('what is written is taken over what it extends', async t => {
  const loaded = loadUpgradePolicy(
    'policy.yaml',
    `extends: service-fabric
failureAction: rollback
healthCheckStableDuration: 1m30s
upgradeTimeout: 1h
upgradeDomainTimeout: none
roles: { web: { maxPercentUnhealthy: 12.5 } }
gates: { maxErrorPercent: 1 }
`,
  )
  if ('faults' in loaded) throw new Error('it is sound')
  t.strictSame(resolvePolicy(loaded.source, DEFAULT_UPGRADE_POLICY), {
    ...NAMED_POLICIES['service-fabric'],
    failureAction: 'rollback',
    healthCheckStableDurationMs: 90_000,
    upgradeTimeoutMs: 3_600_000,
    roles: { web: { maxPercentUnhealthy: 12.5 } },
    gates: { minRequests: 100, maxErrorPercent: 1, maxP99Ratio: null },
  })
  t.strictSame(loadUpgradePolicy('policy.yaml', '# nothing\n'), { source: {} })
})

t.test('over a running policy only what is written changes; false takes gates away', async t => {
  const running = resolvePolicy(
    { gates: { minRequests: 7, maxP99Ratio: 2 }, upgradeTimeout: '2m' },
    DEFAULT_UPGRADE_POLICY,
  )
  t.strictSame(resolvePolicy({ baseline: true }, running), { ...running, baseline: true })
  t.strictSame(resolvePolicy({ gates: { maxErrorPercent: 3 } }, running).gates, {
    minRequests: 7,
    maxErrorPercent: 3,
    maxP99Ratio: 2,
  })
  t.equal(resolvePolicy({ gates: false }, running).gates, null)
  t.equal(resolvePolicy({ upgradeTimeout: 'none' }, running).upgradeTimeoutMs, null)
  t.strictSame(resolvePolicy({ extends: 'default' }, running), { ...DEFAULT_UPGRADE_POLICY, roles: {} })
})

t.test('faults have their place', async t => {
  t.match(faults('failureAction: panic'), [
    /^policy\.yaml:1:16 failureAction: found "panic"; write one of rollback, manual/,
  ])
  t.match(faults('maxPercentUnhealthy: 101'), [
    /^policy\.yaml:1:22 maxPercentUnhealthy: found 101; write a number from 0/,
  ])
  t.match(faults('healthCheckStable: 5s'), [/found an unknown key "healthCheckStable"/])
  t.match(faults('healthCheckInterval: 0s'), [/^policy\.yaml:1:22 healthCheckInterval: found nothing/])
  t.match(faults('upgradeTimeout: soon'), [/^policy\.yaml:1:17 upgradeTimeout: found "soon"/])
  t.match(faults('baseline: false\nupgradeDomainTimeout: 30s'), [
    /^policy\.yaml:2:23 upgradeDomainTimeout: found 30 s; write more than .* which are 60 s/,
  ])
  t.match(faults('upgradeDomainTimeout: 2m\nupgradeTimeout: 90s'), [
    /^policy\.yaml:2:17 upgradeTimeout: found 90 s; write at least upgradeDomainTimeout, which is 120 s/,
  ])
})
