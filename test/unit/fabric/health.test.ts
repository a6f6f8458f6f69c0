import t from 'tap'
import type { LedgerRow } from '../../../src/contracts/ledger.ts'
import { evaluateHealth, type Health } from '../../../src/fabric/health/evaluate.ts'
import { healthIn } from '../../../src/fabric/health/report.ts'
import { projectWakeIn } from '../../../src/fabric/wake.ts'
import { addRows, emptyRow, NO_ANSWERS } from '../../../src/model/ledger-row.ts'
import type { UpgradePolicySource } from '../../../src/model/upgrade-policy-schema.ts'
import { DEFAULT_UPGRADE_POLICY, resolvePolicy } from '../../../src/model/upgrade-policy.ts'
import { bucketOf } from '../../../src/core/histogram.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import type { Lab } from './lab.ts'
import { AT, deployed, report, running, upgradeTo, V1, V2 } from './upgrade-lab.ts'

function health(lab: Lab, policy: UpgradePolicySource = {}, completed: number[] = [], baseline: string[] = []): Health {
  const { id } = lab.deployment()
  const roles = Object.values(lab.state.roles).filter(({ deployment }) => deployment === id)
  const resolved = resolvePolicy(policy, DEFAULT_UPGRADE_POLICY)
  return evaluateHealth(healthIn(lab.state, lab.now), { deployment: id, roles, policy: resolved, completed, baseline })
}

const TEN = makeRelease(
  'shop',
  '1.0.0',
  [role('web', { instances: 10 }), role('api', { instances: 4, kind: 'worker', endpoints: [] })],
  {
    upgradeDomainCount: 5,
  },
)

function ten(errors: number): Lab {
  const lab = deployed([TEN])
  for (let index = 0; index < errors; index++) report(lab, 'Error', { instance: `web_IN_${index}` })
  return lab
}

// HealthCount.cpp: allowed = ceil(total × pct / 100); errors > allowed is Error.
t.test('0 % tolerates no error, 1 % of 10 tolerates one', async t => {
  const table: readonly [errors: number, percent: number, state: string][] = [
    [0, 0, 'Ok'],
    [1, 0, 'Error'],
    [1, 1, 'Warning'],
    [2, 1, 'Error'],
    [2, 11, 'Warning'],
    [3, 20, 'Error'],
    [10, 99, 'Warning'],
    [10, 100, 'Warning'],
  ]
  for (const [errors, maxPercentUnhealthy, state] of table) {
    t.equal(health(ten(errors), { maxPercentUnhealthy }).state, state, `${errors} of 10 at ${maxPercentUnhealthy} %`)
  }
})

t.test('each role is judged with its own percentage; the worst wins', async t => {
  const lab = ten(2)
  report(lab, 'Error', { instance: 'api_IN_0' })
  const policy = { maxPercentUnhealthy: 25, roles: { web: { maxPercentUnhealthy: 0 } } }
  const judged = health(lab, policy)
  t.match(
    judged.roles.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    [
      { name: 'api', state: 'Warning', unhealthy: 1, tolerated: 1, total: 4 },
      { name: 'web', state: 'Error', unhealthy: 2, tolerated: 0, total: 10 },
    ],
  )
  t.equal(judged.state, 'Error')
  t.match(
    judged.evaluations.find(({ kind }) => kind === 'RoleInstances')?.description,
    /2 of 10 instances of web.*; 0 may/,
  )
  t.equal(judged.evaluations[0]?.state, 'Error', 'the worst first')
})

// ApplicationEntity.cpp: once over all nodes and, if that is not Error, once more per completed upgrade domain.
t.test('a bad first domain is an Error although it is a small share of all', async t => {
  const lab = ten(0)
  for (const index of [0, 5]) report(lab, 'Error', { instance: `web_IN_${index}` })
  const policy = { maxPercentUnhealthy: 20 }
  t.equal(health(lab, policy).state, 'Warning')
  t.equal(health(lab, policy, [1]).state, 'Warning')
  const judged = health(lab, policy, [0, 1])
  t.equal(judged.state, 'Error')
  t.strictSame(judged.domains, [
    { domain: 0, state: 'Error' },
    { domain: 1, state: 'Ok' },
  ])
  t.match(
    judged.evaluations.filter(({ instance }) => instance === undefined),
    [{ kind: 'UpgradeDomainInstances', state: 'Error', role: 'web', domain: 0 }],
  )
})

t.test('own events: the worst counts, a Warning as Error where the policy says so', async t => {
  const lab = deployed()
  report(lab, 'Warning')
  report(lab, 'Ok', { property: 'other' })
  t.equal(health(lab).state, 'Warning')
  t.equal(health(lab, { considerWarningAsError: true }).state, 'Error')
  report(lab, 'Ok')
  t.strictSame(health(lab).evaluations, [], 'a report replaces the earlier of its source and property')
})

t.test('an expired report is an Error, or gone', async t => {
  const lab = deployed()
  report(lab, 'Ok', { ttlMs: 5000 })
  report(lab, 'Error', { source: 'other', ttlMs: 3000, removeWhenExpired: true })
  t.equal(projectWakeIn(lab.state, lab.now), 3000)
  t.equal(health(lab).state, 'Error')
  lab.flow(3000)
  t.equal(health(lab).state, 'Ok')
  t.equal(lab.state.health['d1']?.reports.length, 1)
  lab.flow(1999)
  t.equal(health(lab).state, 'Ok')
  lab.flow(1)
  t.match(health(lab).evaluations, [{ kind: 'ExpiredEvent', state: 'Error' }])
  report(lab, 'Ok', { ttlMs: 5000 })
  t.equal(health(lab).state, 'Ok', 'heard of again')
})

t.test('a time to live goes on over a restart, and over a reboot as far as is known', async t => {
  const lab = deployed()
  report(lab, 'Ok', { ttlMs: 5000 })
  lab.flow(2000)
  report(lab, 'Ok', { source: 'other' })
  lab.boot = 'boot-2'
  lab.ms = 0
  lab.restart()
  lab.settle()
  lab.flow(2999)
  t.equal(health(lab).state, 'Ok')
  lab.flow(1)
  t.equal(health(lab).state, 'Error')
})

t.test('a sequence is monotone per source and property; lower is stale', async t => {
  const lab = deployed()
  t.equal(report(lab, 'Ok', { sequence: 7 }), null)
  const before = lab.state
  t.equal(report(lab, 'Ok', { sequence: 7 }), null, 'the very same again')
  t.equal(lab.state, before, 'changes nothing')
  t.equal(report(lab, 'Error', { sequence: 7 }), 'stale_report')
  t.equal(report(lab, 'Error', { sequence: 6 }), 'stale_report')
  t.equal(report(lab, 'Error', { sequence: 1, property: 'other' }), null, 'each property counts for itself')
  t.equal(report(lab, 'Error', { sequence: 1, instance: 'web_IN_0' }), null)
  t.equal(report(lab, 'Error'), null)
  t.ok((lab.state.health['d1']?.reports[1]?.sequence ?? 0) > 7, 'left out, it is the next')
})

t.test('what is refused', async t => {
  const lab = deployed()
  t.equal(report(lab, 'Ok', { source: 'System.FM' }), 'invalid_request')
  t.equal(report(lab, 'Ok', { instance: 'web_IN_9' }), 'instance_not_found')
  for (let index = 0; index < 32; index++) t.equal(report(lab, 'Ok', { property: `p${index}` }), null)
  t.equal(report(lab, 'Ok', { property: 'more' }), 'too_many_reports')
  t.equal(report(lab, 'Warning', { property: 'p3' }), null, 'known ones go on')
  const nowhere = lab.input({
    kind: 'health-reported',
    service: 'shop',
    slot: 'staging',
    report: {
      source: 'a',
      property: 'b',
      state: 'Ok',
      description: '',
      ttlMs: null,
      removeWhenExpired: false,
      sequence: null,
    },
  })
  t.equal(nowhere.refusal?.code, 'slot_empty')
})

t.test('reports go with what they are about', async t => {
  const lab = deployed()
  report(lab, 'Ok')
  for (const instance of ['web_IN_0', 'web_IN_2']) report(lab, 'Ok', { instance })
  lab.accept({ kind: 'configure', ...AT, configuration: { roles: { web: { instances: 2 } } } })
  lab.settle()
  t.strictSame(Object.keys(lab.state.health), ['d1', 'd1/web_IN_0'])
  lab.accept({ kind: 'delete', ...AT })
  lab.settle()
  t.strictSame(lab.state.health, {})
})

t.test("an instance's own state", async t => {
  const table = [
    ['ready', 'Ok'],
    ['unresponsive', 'Error'],
    ['backoff', 'Error'],
    ['starting', 'Error'],
    ['cycling', 'Error'],
    ['failed', 'Error'],
  ] as const
  for (const [state, expected] of table) {
    const lab = deployed()
    lab.seen = ({ index }) => (index === 0 ? { state } : {})
    lab.report()
    t.equal(health(lab).state, expected, `was ready, is ${state}`)
  }
  const lab = deployed()
  lab.input({ kind: 'agent-disconnected', node: 'n1' })
  t.equal(health(lab).state, 'Warning', 'a silent node: unknown is not gone')
  lab.restart()
  for (const considerWarningAsError of [false, true])
    t.equal(health(lab, { considerWarningAsError }).state, 'Warning', 'nor is what was not heard of since a restart')
  const young = deployed()
  young.accept({ kind: 'reboot', ...AT, instance: 'web_IN_0' })
  t.equal(health(young).state, 'Warning', 'on its planned way')
  young.seen = ({ index }) => (index === 0 ? { state: 'starting' } : {})
  young.settle()
  t.equal(health(young).state, 'Warning', 'starting')
  young.seen = ({ index }) => (index === 0 ? { state: 'backoff' } : {})
  young.settle()
  t.equal(health(young).state, 'Error', 'died before it was ready')
})

t.test('a baseline: what was in Error before does not fail the upgrade, what comes does', async t => {
  for (const [baseline, comes, end] of [
    [true, false, 'forward'],
    [true, true, 'back'],
    [false, false, 'back'],
  ] as const) {
    const lab = deployed()
    report(lab, 'Error', { property: 'old' })
    lab.accept(upgradeTo('monitored', { baseline }))
    lab.settle()
    if (comes) report(lab, 'Error', { property: 'new' })
    lab.flow(61_000)
    const { upgrade } = lab.deployment()
    t.equal(upgrade?.direction, end, JSON.stringify({ baseline, comes }))
    if (end === 'forward') t.strictSame(running(lab).verified.slice(0, 1), [0])
  }
})

/** What a proxy has counted of a version: answered in `ms`, `broken` of them not. */
function row(version: string, answered: number, ms: number, { broken = 0, errors = 0 } = {}): LedgerRow {
  const duration = { sumUs: 0, buckets: [bucketOf(ms), answered] }
  return {
    ...emptyRow('shop/production/web/http', 'd1', version),
    arrived: answered + broken,
    answered,
    ...(broken === 0 ? {} : { broken: { 'upstream-closed': broken } }),
    answers: { ...NO_ANSWERS, statuses: [0, answered - errors, 0, 0, errors], duration },
  }
}

// Beyond Service Fabric, each opt-in.
t.test('gates on the ledger judge the new version by what was counted since the upgrade began', async t => {
  const old = row('1.0.0', 1000, 10)
  const table: readonly [what: string, gates: UpgradePolicySource['gates'], rows: LedgerRow[], fails: RegExp | null][] =
    [
      ['no gates', false, [row('2.0.0', 10, 10, { broken: 90 })], null],
      ['errors', { maxErrorPercent: 1 }, [row('2.0.0', 980, 10, { broken: 20 })], /20 of 1000 requests.*2\.00 %/],
      ['5xx are errors', { maxErrorPercent: 1 }, [row('2.0.0', 1000, 10, { errors: 11 })], /11 of 1000/],
      ['at the limit', { maxErrorPercent: 1 }, [row('2.0.0', 1000, 10, { errors: 10 })], null],
      ['too few requests', { maxErrorPercent: 1 }, [row('2.0.0', 98, 10, { broken: 1 })], null],
      [
        'errors of the old version',
        { maxErrorPercent: 1 },
        [row('1.0.0', 900, 10, { broken: 100 }), row('2.0.0', 200, 1)],
        null,
      ],
      ['p99', { maxP99Ratio: 2 }, [old, row('2.0.0', 200, 40)], /p99 of the new version is/],
      ['p99 within', { maxP99Ratio: 5 }, [old, row('2.0.0', 200, 40)], null],
      ['p99 with too few of the old', { maxP99Ratio: 2 }, [row('1.0.0', 99, 10), row('2.0.0', 200, 40)], null],
      [
        'as few as are asked for',
        { minRequests: 10, maxErrorPercent: 0 },
        [row('2.0.0', 9, 1, { broken: 1 })],
        /1 of 10/,
      ],
    ]
  for (const [what, gates, rows, fails] of table) {
    const lab = deployed([V1, V2])
    // From before the upgrade: none of its business.
    const earlier = row('1.0.0', 5000, 1, { broken: 500 })
    lab.rows = [earlier]
    lab.acknowledge()
    lab.accept(upgradeTo('monitored', gates === undefined ? {} : { gates, failureAction: 'manual' }))
    lab.settle()
    lab.rows = rows.some(({ version }) => version === '1.0.0')
      ? rows.map(one => (one.version === '1.0.0' ? addRows(earlier, one) : one))
      : [earlier, ...rows]
    lab.acknowledge()
    lab.flow(62_000)
    const failure = lab.deployment().upgrade?.failure ?? null
    if (fails === null) t.equal(failure, null, what)
    else t.match(failure, { reason: 'HealthCheck', message: fails }, what)
  }
})
