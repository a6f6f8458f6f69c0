import t from 'tap'
import { viewDeployment } from '../../../src/controller/views/deployment-view.ts'
import { viewHealth } from '../../../src/controller/views/health-view.ts'
import type { FabricState } from '../../../src/fabric/state.ts'
import { DEFAULT_UPGRADE_POLICY } from '../../../src/model/upgrade-policy.ts'
import type { Lab } from '../fabric/lab.ts'
import { deployed, report, running, upgradeTo } from '../fabric/upgrade-lab.ts'

const shown = (lab: Lab) => viewDeployment(lab.state, lab.deployment(), 'production', lab.now)

t.test('a deployment shows its policy; an upgrade what is verified and why it failed', async t => {
  const lab = deployed()
  t.strictSame(shown(lab).policy, DEFAULT_UPGRADE_POLICY)
  lab.accept(upgradeTo('monitored', { failureAction: 'manual', healthCheckStableDuration: '5s' }))
  lab.settle()
  lab.flow(5000)
  lab.settle()
  t.match(shown(lab), { policy: { healthCheckStableDurationMs: 5000 }, upgradeStatus: { verified: [0] } })
  t.notOk('failure' in (shown(lab).upgradeStatus ?? {}))
  report(lab, 'Error', { description: 'basket is empty' })
  lab.flow(62_000)
  t.match(shown(lab), {
    rollbackAllowed: true,
    upgradeStatus: {
      mode: 'unmonitored-manual',
      type: 'Manual',
      verified: [],
      currentUpgradeDomain: 1,
      currentUpgradeDomainState: 'Before',
      waitingFor: '`vipswap walk` of domain 1',
      failure: { reason: 'HealthCheck', domain: 1, message: /basket is empty/, at: /^1970-01-01T/ },
    },
  })
})

t.test('a monitored upgrade shows its clocks, and which window its stopwatch is in', async t => {
  const lab = deployed()
  const clock = (name: string) => shown(lab).upgradeStatus?.clocks.find(each => each.name === name)
  lab.accept(
    upgradeTo('monitored', {
      failureAction: 'manual',
      healthCheckWaitDuration: '2s',
      healthCheckStableDuration: '5s',
      healthCheckRetryTimeout: '9s',
      upgradeTimeout: '1h',
    }),
  )
  lab.settle()
  t.match(clock('domain'), { limitMs: null, running: true })
  t.match(clock('upgrade'), { limitMs: 3_600_000, running: true })
  lab.flow(1000)
  t.match(clock('wait'), { limitMs: 2000, running: true })
  lab.flow(3000)
  t.match(clock('stable'), { limitMs: 5000, running: true })
  const before = clock('stable')?.elapsedMs ?? 0
  lab.flow(1000)
  t.equal(clock('stable')?.elapsedMs, before + 1000)
  report(lab, 'Error', { description: 'basket is empty' })
  lab.flow(2000)
  t.match(clock('retry'), { limitMs: 9000, running: true })
  lab.flow(60_000)
  t.strictSame(shown(lab).upgradeStatus?.clocks, [], 'it failed, and waits for an operator')
})

t.test('a stuck walk names its instances and their reasons', async t => {
  const lab = deployed()
  lab.seen = ({ index, spec }) =>
    index === 0 && spec.version === '2.0.0' ? { state: 'cycling', detail: 'exit status 3' } : {}
  lab.accept(upgradeTo('auto'))
  lab.settle()
  t.strictSame(shown(lab).upgradeStatus?.stuck, [{ instance: 'web_IN_0', reason: 'cycling: exit status 3' }])
})

t.test('health names reports, roles, instances and completed domains', async t => {
  const lab = deployed()
  lab.accept(upgradeTo('monitored'))
  lab.settle()
  report(lab, 'Warning', { instance: 'web_IN_1', description: 'slow', ttlMs: 1000 })
  lab.pass(1000)
  t.match(viewHealth(lab.state, lab.deployment(), lab.now), {
    deployment: 'd1',
    state: 'Error',
    evaluations: [
      { kind: 'ExpiredEvent', instance: 'web_IN_1', role: 'web' },
      { kind: 'RoleInstances', description: /1 of 3 instances of web are in Error; 0 may be/ },
    ],
    reports: [],
    roles: [{ name: 'web', total: 3, unhealthy: 1, tolerated: 0 }],
    upgradeDomains: [{ domain: 0, state: 'Ok' }],
  })
  const [role] = viewHealth(lab.state, lab.deployment(), lab.now).roles
  t.match(role?.instances[1], {
    id: 'web_IN_1',
    state: 'Error',
    reports: [{ state: 'Warning', expired: true, ttlMs: 1000 }],
  })
})

t.test('a journal from before policies and reports is read with what it meant then', async t => {
  const lab = deployed()
  lab.accept(upgradeTo('monitored'))
  lab.settle()
  const old = JSON.parse(JSON.stringify(lab.state), (key, value: unknown) =>
    ['policy', 'verified', 'failure', 'stuck', 'moment', 'health', 'beat'].includes(key) ||
    (key === 'baseline' && Array.isArray(value))
      ? undefined
      : value,
  ) as FabricState // its own words
  lab.state = { ...old, health: {} }
  lab.restart()
  t.strictSame(lab.state.deployments['d1']?.policy, DEFAULT_UPGRADE_POLICY)
  t.match(running(lab), { verified: [], failure: null, stuck: [], clocks: { beat: null } })
  lab.settle()
  lab.flow(10_000)
  t.strictSame(running(lab).verified, [0])
})
