import { readFileSync } from 'node:fs'
import t from 'tap'
import { MONITORED_LOOP } from '../../../src/fabric/upgrade/monitored.ts'
import type { HealthState } from '../../../src/model/states.ts'
import type { UpgradePolicySource } from '../../../src/model/upgrade-policy-schema.ts'
import { NAMED_POLICIES } from '../../../src/model/upgrade-policy.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import type { Lab } from './lab.ts'
import { AT, change, deployed, report, running, upgradeTo } from './upgrade-lab.ts'

type Script = readonly (readonly [atMs: number, state: HealthState])[]

/** Time flows, and at its times the watchdog says how the deployment is, just after the check of that moment. */
function play(lab: Lab, script: Script, done: (lab: Lab) => string | null, untilMs = 400_000): string {
  for (let next = 0; lab.ms <= untilMs;) {
    const said = script[next]
    if (said !== undefined && said[0] <= lab.ms) {
      report(lab, said[1])
      next++
      continue
    }
    const end = done(lab)
    if (end !== null) return `${end} at ${lab.ms / 1000}`
    lab.flow(500)
  }
  return 'nothing'
}

/** How the first domain ends. */
function first(lab: Lab): string | null {
  const failed = lab.events.find(({ kind }) => kind === 'upgrade-failed')
  if (failed !== undefined) return failed.message.split(':')[0] ?? null
  return lab.events.some(({ kind, message }) => kind === 'domain-ended' && message === 'domain 0 is done')
    ? 'verified'
    : null
}

function outcome(policy: UpgradePolicySource, script: Script = []): string {
  const lab = deployed()
  const [start] = script
  if (start?.[0] === 0) report(lab, start[1])
  lab.accept(upgradeTo('monitored', policy))
  lab.settle()
  return play(lab, script, first)
}

t.test('while the deployment is suspended no clock of its upgrade runs, also over a reboot', async t => {
  for (const reboot of [false, true]) {
    const lab = deployed()
    lab.accept(upgradeTo('monitored', { upgradeTimeout: '100s' }))
    lab.settle()
    lab.flow(8000)
    const operation = running(lab).operation
    lab.accept({ kind: 'status', ...AT, status: 'Suspended' })
    lab.settle()
    lab.flow(3_600_000)
    if (reboot) {
      lab.boot = 'boot-2'
      lab.restart()
      lab.connectProxy('p1')
      lab.settle()
    }
    lab.accept({ kind: 'status', ...AT, status: 'Running' })
    lab.settle()
    t.equal(lab.operation(operation).status, 'InProgress')
    t.equal(running(lab).clocks.upgrade.carriedMs, 8000)
    // Neither window ever closes; 92 s of the whole's time are left.
    const flap = (turns: number): void => {
      for (let turn = 0; turn < turns; turn++) {
        report(lab, turn % 2 === 0 ? 'Error' : 'Ok')
        lab.flow(5000)
      }
    }
    flap(18)
    t.equal(lab.operation(operation).status, 'InProgress')
    flap(1)
    t.match(lab.operation(operation), { status: 'RolledBack', failure: { reason: 'OverallUpgradeTimeout' } })
  }
})

const DOMAIN = { upgradeDomainTimeout: '61s' }
const FLAPPING: Script = Array.from({ length: 40 }, (_, turn) => [turn * 5000, turn % 2 === 0 ? 'Error' : 'Ok'])

// Service Fabric, ProcessUpgradeContextAsyncOperationBase.cpp, CheckHealth; a check each second, at 0, 1, 2 …
const LOOP: readonly [string, UpgradePolicySource, Script, string][] = [
  ['healthy from the start counts from the first healthy sample', {}, [], 'verified at 10'],
  ['nothing is evaluated during the wait', { healthCheckWaitDuration: '5s' }, [], 'verified at 15'],
  [
    'what happens during the wait does not count',
    { healthCheckWaitDuration: '5s' },
    [
      [0, 'Error'],
      [4000, 'Ok'],
    ],
    'verified at 15',
  ],
  ['if !h and elapsed >= wait+retry: fail(HealthCheck)', {}, [[0, 'Error']], 'HealthCheck at 60'],
  [
    'unhealthy from the start counts retry from the end of wait',
    { healthCheckWaitDuration: '5s' },
    [[0, 'Error']],
    'HealthCheck at 65',
  ],
  ['with stable=0 the first healthy sample passes', { healthCheckStableDuration: '0s' }, [], 'verified at 0'],
  [
    '… also after an unhealthy one',
    { healthCheckStableDuration: '0s' },
    [
      [0, 'Error'],
      [3000, 'Ok'],
    ],
    'verified at 4',
  ],
  [
    'with retry=0 the first unhealthy sample fails',
    { healthCheckRetryTimeout: '0s' },
    [[0, 'Error']],
    'HealthCheck at 0',
  ],
  ['… also after a healthy one', { healthCheckRetryTimeout: '0s' }, [[3000, 'Error']], 'HealthCheck at 4'],
  [
    'a flip restarts the stable window',
    {},
    [
      [5000, 'Error'],
      [8000, 'Ok'],
    ],
    'verified at 19',
  ],
  [
    'a flip restarts the retry window',
    {},
    [
      [0, 'Error'],
      [50_000, 'Ok'],
      [55_000, 'Error'],
    ],
    'HealthCheck at 116',
  ],
  ['udElapsed >= UpgradeDomainTimeout', DOMAIN, FLAPPING, 'UpgradeDomainTimeout at 61'],
  ['overall >= UpgradeTimeout', { upgradeTimeout: '61s' }, FLAPPING, 'OverallUpgradeTimeout at 61'],
  ['UD timeout tested before overall', { ...DOMAIN, upgradeTimeout: '61s' }, FLAPPING, 'UpgradeDomainTimeout at 61'],
  [
    'a time-out goes before a check that would pass',
    { ...DOMAIN, healthCheckStableDuration: '30s' },
    [
      [0, 'Error'],
      [30_000, 'Ok'],
    ],
    'UpgradeDomainTimeout at 61',
  ],
  ['Ok and Warning both count as healthy', {}, [[0, 'Warning']], 'verified at 10'],
  ['ConsiderWarningAsError', { considerWarningAsError: true }, [[0, 'Warning']], 'HealthCheck at 60'],
  [
    'every UpgradeHealthCheckInterval: in between nobody looks',
    { extends: 'service-fabric' },
    [
      [61_000, 'Error'],
      [100_000, 'Ok'],
    ],
    'verified at 120',
  ],
  [
    "Service Fabric's own retry",
    { extends: 'service-fabric', healthCheckRetryTimeout: '300s' },
    [[0, 'Error']],
    'HealthCheck at 300',
  ],
  ['the wait ends at a check', { healthCheckWaitDuration: '5s', healthCheckInterval: '2s' }, [], 'verified at 16'],
]

for (const [rule, policy, script, expected] of LOOP) {
  t.test(rule, async t => t.equal(outcome(policy, script), expected))
}

t.test('the last domain has its own check before the upgrade is complete', async t => {
  const lab = deployed()
  const operation = lab.accept(upgradeTo('monitored'))
  for (let domain = 0; domain < 3; domain++) {
    lab.settle()
    t.strictSame(running(lab).verified, [0, 1, 2].slice(0, domain))
    lab.flow(9999)
    t.equal(lab.operation(operation).status, 'InProgress')
    lab.flow(1)
  }
  t.equal(lab.deployment().upgrade, null)
  t.equal(lab.operation(operation).status, 'Succeeded')
})

t.test('failureAction rollback: back without health checks, and the operation says why', async t => {
  const lab = deployed()
  const operation = lab.accept(upgradeTo('monitored'))
  lab.settle()
  report(lab, 'Error', { description: 'basket is empty' })
  lab.flow(62_000)
  t.equal(running(lab).direction, 'back')
  lab.settle()
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0', 'though the report still says Error')
  t.match(lab.operation(operation), {
    status: 'RolledBack',
    error: { code: 'health_check_failed', message: /HealthCheck.*basket is empty/ },
  })
})

t.test('failureAction manual: unmonitored-manual, nothing verified, pending until its operator walks', async t => {
  const lab = deployed()
  const operation = lab.accept(upgradeTo('monitored', { failureAction: 'manual' }))
  lab.settle()
  lab.flow(10_000)
  lab.settle()
  t.strictSame(running(lab).verified, [0])
  report(lab, 'Error')
  lab.flow(61_000)
  const failed = running(lab)
  t.match(failed, {
    mode: 'unmonitored-manual',
    phase: 'waiting',
    position: 1,
    verified: [],
    failure: { reason: 'HealthCheck', domain: 1 },
  })
  t.match(lab.operation(operation), { status: 'Failed', error: { code: 'health_check_failed' } })
  lab.flow(600_000)
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 1.0.0', 'it waits')
  for (const domain of [1, 2]) {
    lab.accept({ kind: 'walk', ...AT, domain })
    lab.settle()
  }
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0')
  t.equal(lab.deployment().upgrade, null)
})

t.test('one that failed at its last domain can still be rolled back, or taken up again', async t => {
  for (const way of ['back', 'on'] as const) {
    const lab = deployed()
    const operation = lab.accept(upgradeTo('monitored', { failureAction: 'manual', healthCheckStableDuration: '0s' }))
    lab.seen = ({ index, spec }) => (index === 2 && spec.version === '2.0.0' ? { state: 'cycling' } : {})
    lab.settle()
    lab.flow(60_000)
    t.match(running(lab), { phase: 'waiting', position: 2, failure: { reason: 'HealthCheck' } })
    lab.seen = () => ({})
    if (way === 'back') {
      lab.accept({ kind: 'rollback', ...AT })
      t.equal(running(lab).failure?.reason, 'Interrupted')
      lab.settle()
      t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0')
    } else {
      const again = lab.accept(change({ mode: 'monitored' }))
      t.not(again, operation, 'the failed operation has ended: this is another')
      lab.settle()
      lab.flow(1000)
      t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0')
      t.equal(lab.operation(again).status, 'Succeeded')
    }
    t.equal(lab.deployment().upgrade, null)
  }
})

t.test('a domain time-out also ends a domain whose instances never get there', async t => {
  const lab = deployed()
  lab.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'starting' } : {})
  lab.accept(upgradeTo('monitored', DOMAIN))
  lab.settle()
  t.equal(running(lab).phase, 'walking')
  t.equal(play(lab, [], first), 'UpgradeDomainTimeout at 61')
  t.equal(running(lab).direction, 'back')
})

t.test('a policy change keeps the timers', async t => {
  const lab = deployed()
  lab.accept(upgradeTo('monitored'))
  lab.settle()
  lab.flow(5000)
  lab.accept(change({ policy: { healthCheckStableDuration: '20s' } }))
  t.equal(lab.deployment().policy.healthCheckRetryTimeoutMs, 60_000, 'what is not said stays')
  t.equal(play(lab, [], first), 'verified at 20')
})

t.test('a mode change leaves the loop, behaves by the new mode, and enters it anew', async t => {
  const lab = deployed()
  lab.accept(upgradeTo('monitored'))
  lab.settle()
  report(lab, 'Error')
  lab.flow(30_000)
  lab.accept(change({ mode: 'unmonitored-auto' }))
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0')

  const back = deployed()
  back.accept(upgradeTo('monitored'))
  back.settle()
  back.flow(9000)
  back.accept(change({ mode: 'manual' }))
  back.settle()
  t.match(running(back), { phase: 'waiting', position: 1 }, 'ready is enough in manual')
  back.accept(change({ mode: 'monitored' }))
  back.settle()
  back.flow(9999)
  t.strictSame(running(back).position, 1)
  back.flow(1)
  t.strictSame(running(back).position, 2)
})

t.test('what may not be changed on the way', async t => {
  const lab = deployed()
  t.strictSame(lab.refused(change({ mode: 'auto' })), ['no_upgrade'])
  lab.accept(upgradeTo('manual'))
  lab.settle()
  // Service Fabric: monitoring fields or policy when mode is not Monitored.
  t.strictSame(lab.refused(change({ policy: { healthCheckStableDuration: '1s' } })), ['change_not_allowed'])
  t.strictSame(lab.refused(change({ policy: {} })), ['invalid_request'])
  lab.accept(change({ policy: { minReadyPercent: 50 } }))
  lab.accept(change({ mode: 'monitored', policy: { failureAction: 'manual' } }))
  t.match(lab.deployment().policy, { minReadyPercent: 50, failureAction: 'manual' })
  t.strictSame(lab.refused(change({ policy: { upgradeTimeout: '60s' } })), ['invalid_policy'])
  t.strictSame(lab.refused(change({ policy: { roles: { wob: { maxPercentUnhealthy: 1 } } } })), ['invalid_policy'])
  lab.settle()
  lab.accept({ kind: 'rollback', ...AT, mode: 'manual' })
  // … during rollback only mode.
  t.strictSame(lab.refused(change({ policy: { failureAction: 'manual' } })), ['change_not_allowed'])
  t.strictSame(lab.refused(change({ mode: 'monitored' })), ['change_not_allowed'])
})

// Service Fabric validates a monitored upgrade: each time-out > wait+retry and > wait+stable; the whole ≥ a domain's.
const TIMES: readonly [UpgradePolicySource, number][] = [
  [{}, 0],
  [{ extends: 'service-fabric' }, 0],
  [{ upgradeDomainTimeout: '60s' }, 1],
  [{ upgradeDomainTimeout: '61s' }, 0],
  [{ upgradeDomainTimeout: '65s', healthCheckWaitDuration: '5s' }, 1],
  [{ upgradeTimeout: '60s' }, 1],
  [{ upgradeTimeout: '70s', healthCheckStableDuration: '70s' }, 1],
  [{ upgradeTimeout: '71s', healthCheckStableDuration: '70s' }, 0],
  [{ upgradeTimeout: '80s', upgradeDomainTimeout: '80s' }, 0],
  [{ upgradeTimeout: '80s', upgradeDomainTimeout: '81s' }, 1],
  [{ upgradeTimeout: '20s', upgradeDomainTimeout: '30s' }, 3],
  [{ extends: 'service-fabric', upgradeTimeout: '600s' }, 1],
  [{ healthCheckInterval: '0s' }, 1],
]
t.test('time-outs against one another', async t => {
  for (const [policy, faults] of TIMES) {
    const lab = deployed()
    const text = JSON.stringify(policy)
    if (faults === 0) t.ok(lab.accept(upgradeTo('monitored', policy)), text)
    else t.strictSame(lab.refused(upgradeTo('monitored', policy)), Array(faults).fill('invalid_policy'), text)
  }
  // SF-SRC RollingUpgradeMonitoringPolicy.cpp
  t.match(NAMED_POLICIES['service-fabric'], {
    failureAction: 'manual',
    healthCheckWaitDurationMs: 0,
    healthCheckStableDurationMs: 120_000,
    healthCheckRetryTimeoutMs: 600_000,
    upgradeTimeoutMs: null,
    upgradeDomainTimeoutMs: null,
  })
})

// SEED 004, default services: with EnableDefaultServicesUpgrade=false an absent one is kept.
t.test('the policy service-fabric keeps a role that the package no longer has', async t => {
  const roles = [role('web', { instances: 2 }), role('api', { kind: 'worker', endpoints: [] })]
  const both = makeRelease('shop', '1.0.0', roles)
  const one = makeRelease('shop', '2.0.0', roles.slice(0, 1))
  const lab = deployed([both, one])
  t.strictSame(lab.refused(upgradeTo('unmonitored-auto', {}, one.digest)), ['force_required'], 'by default it goes')
  lab.accept(upgradeTo('unmonitored-auto', { extends: 'service-fabric' }, one.digest))
  lab.settle()
  t.equal(lab.deployment().upgrade, null)
  t.strictSame(
    lab
      .instances()
      .map(({ id }) => id)
      .toSorted(),
    ['api_IN_0', 'api_IN_1', 'web_IN_0', 'web_IN_1'],
  )
})

t.test('a reboot begins the stable time anew and keeps what a domain has taken', async t => {
  for (const phase of ['verifying', 'walking'] as const) {
    const lab = deployed()
    if (phase === 'walking') lab.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'starting' } : {})
    else report(lab, 'Error')
    lab.accept(upgradeTo('monitored', DOMAIN))
    lab.settle()
    t.equal(running(lab).phase, phase)
    lab.flow(40_000)
    lab.boot = 'boot-2'
    lab.ms = 5
    lab.restart()
    lab.settle()
    if (phase === 'verifying') report(lab, 'Ok')
    const before = running(lab).clocks.domain?.carriedMs
    t.equal(before, 40_000, `${phase}: a moment was journaled each second, or each ten`)
    if (phase === 'walking') {
      lab.flow(20_999)
      t.equal(first(lab), null)
      lab.flow(1)
      t.equal(first(lab), 'UpgradeDomainTimeout')
    } else {
      t.equal(running(lab).clocks.health?.elapsedMs, 0)
      t.equal(play(lab, [], first), 'verified at 11.005')
    }
  }
})

t.test('the chart in docs/upgrades.md is the table of the code', async t => {
  const text = readFileSync('docs/upgrades.md', 'utf8')
  const [, chart = ''] = /<!-- monitored -->\n```mermaid\n([^`]*)```/.exec(text) ?? []
  t.strictSame(chart.trimEnd().split('\n'), drawn())
})

function drawn(): string[] {
  const lines = ['flowchart TD']
  for (const [name, step] of Object.entries(MONITORED_LOOP)) {
    if ('ask' in step) {
      lines.push(`  ${name}{"${step.ask}"}`, `  ${name} -- yes --> ${step.yes}`, `  ${name} -- no --> ${step.no}`)
    } else if ('act' in step) lines.push(`  ${name}["${step.act}"]`, `  ${name} --> ${step.next}`)
    else lines.push(`  ${name}(["${step.end}"])`)
  }
  return lines
}
