import t from 'tap'
import type { PlanView } from '../../../src/contracts/api/plan.ts'
import type { Command, UpgradeCommand } from '../../../src/contracts/command.ts'
import { planOf } from '../../../src/controller/plan.ts'
import { rehearse } from '../../../src/fabric/apply.ts'
import { endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from '../fabric/lab.ts'

const web = role('web', { instances: 3 })
const crunch = role('crunch', { kind: 'worker', endpoints: [], instances: 1 })
const one = role('one', { instances: 1, endpoints: [endpoint('side', 8090)] })
const V1 = makeRelease('shop', '1.0.0', [web, crunch, one])
const V2 = makeRelease('shop', '2.0.0', [{ ...web, instances: 4 }, one, role('more', { endpoints: [] })], {
  unchanged: { one: '1.0.0' },
  breaksData: true,
})
const NEXT = makeRelease('shop', '2.1.0', [web, crunch, one])
const DOMAINS = makeRelease('shop', '3.0.0', [web, crunch, one], { upgradeDomainCount: 3 })

const at = { service: 'shop', slot: 'production' } as const
const to = (release: { digest: string }, over: Partial<UpgradeCommand> = {}): UpgradeCommand => ({
  kind: 'upgrade',
  ...at,
  package: release.digest,
  mode: 'auto',
  force: true,
  restartUnchanged: false,
  overlap: false,
  ...over,
})

function deployed(): Lab {
  const lab = new Lab([V1, V2, NEXT, DOMAINS])
  lab.settings.quota = { cores: 20 }
  lab.restart()
  for (const node of ['n1', 'n2']) lab.connectAgent(node)
  lab.accept({ kind: 'create', ...at, package: V1.digest, replace: false })
  lab.settle()
  return lab
}

function plan(lab: Lab, command: Command): PlanView {
  const before = lab.state
  const view = planOf(lab.state, command, rehearse(lab.state, command, lab.now), lab.now)
  t.equal(lab.state, before, 'a plan changes nothing')
  return view
}

t.test('a plan of an upgrade says what moves, when, and how little serves meanwhile', async t => {
  const view = plan(deployed(), to(V2))
  t.equal(view.outcome, 'changes')
  t.match(view.upgrade, {
    mode: 'auto',
    fromVersion: '1.0.0',
    toVersion: '2.0.0',
    domains: { declared: 5, effective: 4 },
    moves: [
      { domain: 0, instances: ['more_IN_0', 'web_IN_0'] },
      { domain: 1, instances: ['more_IN_1', 'web_IN_1'] },
      { domain: 2, instances: ['web_IN_2'] },
      { domain: 3, instances: ['web_IN_3'] },
    ],
    cores: { before: 5, after: 8, quota: 20 },
  })
  t.strictSame(
    view.upgrade?.roles.map(
      ({ name, change, fromVersion, toVersion, instances: { from, to: count }, lowWater, changes }) =>
        `${name} ${change} ${fromVersion}-${toVersion} ${from}-${count} low ${lowWater}: ${changes.map(({ kind }) => kind).join(' ')}`,
    ),
    [
      'crunch removed 1.0.0-null 1-0 low 0: roleRemoved',
      'more added null-2.0.0 0-2 low 0: roleAdded',
      'one unchanged 1.0.0-1.0.0 1-1 low 1: ',
      'web changed 1.0.0-2.0.0 3-4 low 3: instanceCount code',
    ],
  )
  t.match(view.steps, [
    /d1: 1.0.0 to 2.0.0, mode auto, roles crunch, more, web; 5 domains declared, 4 effective/,
    /^first: web from 3 to 4, on the version that runs$/,
    /^domain 0: more_IN_0, web_IN_0 /,
    /^domain 1: /,
    /^domain 2: /,
    /^domain 3: /,
    /^last: role crunch goes, 1 instances$/,
  ])
  t.match(view.warnings, [/role crunch is removed/, /2.0.0 breaks data: what it writes 1.0.0 cannot read/])
})

t.test('roles of one instance are warned of with the remedy, unless they are scaled in the same step', async t => {
  const lab = deployed()
  const view = plan(lab, to(NEXT))
  t.match(view.warnings, [
    /role one starts first: HOME and TMPDIR of its instances begin empty.*`order: stop-first`/,
    /role crunch has 1 instance: .*`vipswap scale crunch=2`.*or deploy to staging and swap/,
    /role one has 1 instance/,
  ])
  const scaled = plan(lab, to(NEXT, { configuration: { roles: { crunch: { instances: 2 }, one: { instances: 3 } } } }))
  t.strictSame(scaled.warnings, [])
  t.strictSame(
    scaled.upgrade?.roles.map(({ name, lowWater }) => `${name} ${lowWater}`),
    ['crunch 1', 'one 2', 'web 2'],
  )
  t.strictSame(
    plan(lab, to(NEXT, { mode: 'simultaneous' })).upgrade?.roles.map(({ name, lowWater }) => `${name} ${lowWater}`),
    ['crunch 0', 'one 1', 'web 0'],
    'a web role of one instance starts beside itself',
  )
})

t.test('a refused upgrade still says what would change, and by which ways', async t => {
  const view = plan(deployed(), to(DOMAINS))
  t.equal(view.outcome, 'refused')
  t.match(view.blockers, [{ code: 'change_not_allowed', message: /upgradeDomainCount changes from 5 to 3/ }])
  t.match(
    view.upgrade?.roles.find(({ name }) => name === 'web'),
    {
      change: 'changed',
      changes: [{ kind: 'code', inPlace: 'yes', swap: 'yes', redeploy: 'yes' }],
    },
  )
  t.match(view.upgrade?.changes, [{ kind: 'domainCount', inPlace: 'no', swap: 'yes', redeploy: 'yes' }])
  t.equal(plan(deployed(), to(V2, { force: false })).outcome, 'refused')
})

t.test('what runs already is nothing to do', async t => {
  t.match(plan(deployed(), to(V1)), { outcome: 'none', steps: [] })
})

t.test('a plan of a swap warns of what is in staging now', async t => {
  const lab = deployed()
  lab.accept({ kind: 'create', service: 'shop', slot: 'staging', package: NEXT.digest, replace: false })
  lab.seen = ({ spec, index }) => (spec.version === '2.1.0' && index === 2 ? { state: 'cycling' } : {})
  lab.settle()
  t.match(plan(lab, { kind: 'swap', service: 'shop' }), {
    outcome: 'changes',
    warnings: [/role web: 2 of 3 instances of d2 are ready/, /web: production goes from 3 ready instances to 2/],
    steps: [/production will serve d2 \(2.1.0\)/, /staging will serve d1/, /addresses/],
  })
})

t.test('a plan over a running upgrade: the domain in flight first, what belongs to neither end at once', async t => {
  const lab = deployed()
  lab.seen = ({ instance, spec }) => (instance === 'more_IN_1' && spec.version === '2.0.0' ? { state: 'starting' } : {})
  lab.accept(to(V2))
  lab.settle()
  const view = plan(lab, to(NEXT))
  t.match(
    view.upgrade?.moves.map(({ domain }) => domain),
    [1, 0],
  )
  t.match(
    view.upgrade?.roles.map(({ name, change, instances }) => [name, change, instances.from, instances.to]),
    [
      ['crunch', 'changed', 1, 1],
      ['more', 'removed', 0, 0],
      ['one', 'changed', 1, 1],
      ['web', 'changed', 3, 3],
    ],
  )
  t.match(view.steps.at(-1), /at once: what there is of role more goes, which neither end has/)
  const back = plan(lab, to(V1))
  t.strictSame(
    back.upgrade?.moves.flatMap(({ instances }) => instances).filter(id => id.startsWith('crunch')),
    [],
    'what is there already does not move',
  )
})
