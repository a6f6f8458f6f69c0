import t from 'tap'
import type { Command, UpgradeCommand } from '../../../src/contracts/command.ts'
import type { Configuration } from '../../../src/model/definition.ts'
import type { UpgradeMode } from '../../../src/model/states.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const web = role('web', { instances: 3, settings: { colour: 'red' }, localStorage: [store(2000)] })
const crunch = role('crunch', { kind: 'worker', endpoints: [], instances: 1 })
const THREE = { upgradeDomainCount: 3 }
const V1 = makeRelease('shop', '1.0.0', [web, crunch], THREE)
const V2 = makeRelease('shop', '2.0.0', [web, crunch], { ...THREE, unchanged: { crunch: '1.0.0' } })
const V2_AGAIN = makeRelease('shop', '2.0.1', [web, crunch], { ...THREE, unchanged: { web: '1.0.0', crunch: '1.0.0' } })
const OTHER = makeRelease('blog', '1.0.0', [web, crunch], THREE)
const DOMAINS = makeRelease('shop', '3.0.0', [web, crunch], { upgradeDomainCount: 4 })
const REMOVED = makeRelease('shop', '3.2.0', [web], THREE)
const SMALLER = makeRelease('shop', '3.4.0', [{ ...web, localStorage: [store(1000)] }, crunch], THREE)
const REQUIRES = makeRelease('shop', '3.5.0', [web, crunch], { ...THREE, requires: '>=2.0.0' })
const RELEASES = [V1, V2, V2_AGAIN, OTHER, DOMAINS, REMOVED, SMALLER, REQUIRES]

function store(sizeBytes: number) {
  return { name: 'cache', sizeBytes, cleanOnRecycle: false }
}

const at = { service: 'shop', slot: 'production' } as const
const to = (mode: UpgradeMode, over: Partial<UpgradeCommand> = {}): UpgradeCommand => ({
  kind: 'upgrade',
  ...at,
  package: V2.digest,
  mode,
  force: false,
  restartUnchanged: false,
  overlap: false,
  ...over,
})
const walk = (domain?: number): Command => ({ kind: 'walk', ...at, ...(domain === undefined ? {} : { domain }) })
const rollback = { kind: 'rollback', ...at } as const

function deployed(): Lab {
  const lab = new Lab(RELEASES)
  lab.accept({ kind: 'create', ...at, package: V1.digest, replace: false })
  lab.settle()
  return lab
}

// Three of web, then one of crunch.
const OLD = '1.0.0 1.0.0 1.0.0 1.0.0'
const FIRST = '2.0.0 1.0.0 1.0.0 1.0.0'
const NEW = '2.0.0 2.0.0 2.0.0 1.0.0'

const REFUSED: { name: string; make?: (lab: Lab) => void; command: Command; codes: string[] }[] = [
  { name: 'an unknown service', command: to('auto', { service: 'nope' }), codes: ['service_not_found'] },
  { name: 'an empty slot', command: to('auto', { slot: 'staging' }), codes: ['slot_empty'] },
  { name: 'an unknown package', command: to('auto', { package: 'f'.repeat(64) }), codes: ['package_not_found'] },
  { name: 'an unknown role', command: to('auto', { role: 'nope' }), codes: ['role_not_found'] },
  {
    name: 'the package of another service',
    command: to('auto', { package: OTHER.digest }),
    codes: ['change_not_allowed'],
  },
  {
    name: 'another number of domains',
    command: to('auto', { package: DOMAINS.digest }),
    codes: ['change_not_allowed'],
  },
  { name: 'a removed role without force', command: to('auto', { package: REMOVED.digest }), codes: ['force_required'] },
  { name: 'smaller local storage', command: to('auto', { package: SMALLER.digest }), codes: ['change_not_allowed'] },
  {
    name: 'a version it may not come from',
    command: to('auto', { package: REQUIRES.digest }),
    codes: ['change_not_allowed'],
  },
  { name: 'what runs already', command: to('auto', { package: V2_AGAIN.digest }), codes: ['nothing_to_do'] },
  {
    name: 'an unknown setting',
    command: to('auto', { configuration: { roles: { web: { settings: { size: '1' } } } } }),
    codes: ['invalid_configuration'],
  },
  {
    name: 'an upgrade to where a running one goes',
    make: lab => void lab.accept(to('manual')),
    command: to('auto'),
    codes: ['identical_target'],
  },
  {
    name: 'a second walk in the other slot of the service',
    make: lab => {
      lab.accept({ kind: 'create', service: 'shop', slot: 'staging', package: V1.digest, replace: false })
      lab.settle()
      lab.accept(to('manual', { slot: 'staging' }))
    },
    command: to('auto'),
    codes: ['upgrade_in_progress'],
  },
  {
    name: 'a suspended deployment',
    make: lab => {
      lab.accept({ kind: 'status', ...at, status: 'Suspended' })
      lab.settle()
    },
    command: to('auto'),
    codes: ['not_running'],
  },
  { name: 'a walk without an upgrade', command: walk(), codes: ['no_upgrade'] },
  { name: 'a change of no upgrade', command: { kind: 'changeUpgrade', ...at, mode: 'auto' }, codes: ['no_upgrade'] },
  { name: 'a rollback of no upgrade', command: rollback, codes: ['rollback_not_allowed'] },
]

for (const { name, make, command, codes } of REFUSED) {
  t.test(`refused: ${name}`, async t => {
    const lab = deployed()
    make?.(lab)
    t.strictSame(lab.refused(command), codes)
  })
}

t.test('the way down and up of one instance, step by step', async t => {
  const lab = deployed()
  const log: string[] = []
  const look = (what: string): void => {
    const target = lab.target('web_IN_0')
    log.push(
      `${what}: ${lab.desired('web_IN_0')}, ${target === undefined ? 'not in the table' : `${target.key} ${target.state}`}`,
    )
  }
  look('before')
  lab.accept(to('auto'))
  look('accepted')
  lab.report()
  look('package on the nodes')
  lab.inFlight = { 'd1/web_IN_0#1.1': 2 }
  lab.acknowledge()
  look('acknowledged, 2 in flight')
  lab.inFlight = {}
  lab.input({
    kind: 'proxy-status',
    incarnation: 'p1',
    status: { revision: lab.state.fabric.revision, inFlight: {}, ledger: { incarnation: 'p1', rows: [] } },
  })
  look('none in flight')
  lab.report()
  look('still not acknowledged')
  lab.acknowledge()
  look('acknowledged')
  lab.report()
  look('stopped')
  lab.acknowledge()
  look('acknowledged')
  lab.report()
  look('ready')
  t.strictSame(log, [
    'before: run 1 1.0.0, d1/web_IN_0#1.1 in',
    'accepted: run 1 1.0.0, d1/web_IN_0#1.1 in',
    'package on the nodes: run 1 1.0.0, d1/web_IN_0#1.1 draining',
    'acknowledged, 2 in flight: run 1 1.0.0, d1/web_IN_0#1.1 draining',
    'none in flight: run 1 1.0.0, not in the table',
    'still not acknowledged: run 1 1.0.0, not in the table',
    'acknowledged: stop 1 1.0.0, not in the table',
    'stopped: run 2 2.0.0, not in the table',
    'acknowledged: run 2 2.0.0, not in the table',
    'ready: run 2 2.0.0, d1/web_IN_0#2.1 in',
  ])
})

t.test('a drain ends at its deadline, with what is left in flight', async t => {
  const lab = deployed()
  lab.accept(to('auto'))
  lab.report()
  lab.inFlight = { 'd1/web_IN_0#1.1': 1 }
  lab.acknowledge()
  t.equal(lab.target('web_IN_0')?.drainMs, 3000)
  lab.pass(7999)
  t.match(lab.stages(), /web0:draining/)
  lab.pass(1)
  t.match(lab.stages(), /web0:retiring/)
})

t.test('a manual upgrade is accepted, then walks one domain per walk, in order, each once', async t => {
  const lab = deployed()
  const operation = lab.accept(to('manual'))
  t.strictSame(lab.refused(walk()), ['walk_not_allowed'], 'not before the packages are there')
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.equal(lab.versions(), OLD, 'nothing happens by itself')
  t.strictSame(lab.refused(walk(1)), ['walk_not_allowed'])
  const first = lab.accept(walk(0))
  t.strictSame(lab.refused(walk()), ['walk_not_allowed'], 'while it goes on')
  lab.settle()
  t.equal(lab.operation(first).status, 'Succeeded')
  t.equal(lab.versions(), FIRST)
  t.strictSame(lab.refused(walk(0)), ['walk_not_allowed'], 'each once')
  lab.accept(walk())
  lab.settle()
  lab.accept(walk(2))
  lab.settle()
  t.equal(lab.versions(), NEW)
  t.equal(lab.deployment().version, '2.0.0')
  t.strictSame(lab.refused(walk()), ['no_upgrade'])
  t.strictSame(lab.refused(rollback), ['rollback_not_allowed'])
})

t.test('an automatic upgrade takes one domain after another and leaves unchanged roles alone', async t => {
  const lab = deployed()
  const operation = lab.accept(to('auto'))
  lab.settle()
  t.equal(lab.versions(), NEW)
  t.equal(lab.instance('crunch_IN_0').incarnation, 1)
  t.strictSame(
    lab.operation(operation).receipt?.domains.map(({ domain, instances }) => `${domain}: ${instances}`),
    ['0: 1', '1: 1', '2: 1'],
  )
})

t.test('an automatic walk waits for ever on a crash loop, and goes on after it recovers', async t => {
  const lab = deployed()
  lab.seen = ({ spec, index }) => (spec.version === '2.0.0' && index === 0 ? { state: 'cycling' } : {})
  lab.accept(to('auto'))
  lab.settle()
  lab.pass(24 * 3_600_000)
  lab.settle()
  t.equal(lab.versions(), FIRST)
  t.equal(lab.deployment().upgrade?.phase, 'verifying')
  lab.seen = () => ({})
  lab.settle()
  t.equal(lab.versions(), NEW)
})

t.test('a monitored walk holds each domain for its stable time', async t => {
  const lab = deployed()
  lab.accept(to('monitored'))
  lab.settle()
  lab.flow(9999)
  t.equal(lab.versions(), FIRST)
  for (let domain = 0; domain < 3; domain++) {
    lab.flow(10_000)
    lab.settle()
  }
  t.equal(lab.versions(), NEW)
  t.equal(lab.deployment().upgrade, null)
})

t.test('a monitored walk that does not get healthy in its retry time goes back by itself', async t => {
  const lab = deployed()
  lab.seen = ({ spec }) => (spec.version === '2.0.0' && spec.endpoints.length > 0 ? { state: 'cycling' } : {})
  const operation = lab.accept(to('monitored'))
  lab.settle()
  lab.flow(59_999)
  t.equal(lab.deployment().upgrade?.direction, 'forward')
  lab.flow(1)
  lab.settle()
  t.equal(lab.operation(operation).status, 'RolledBack')
  t.equal(lab.versions(), OLD)
  t.equal(lab.deployment().version, '1.0.0')
  const back = Object.values(lab.state.operations).at(-1)
  t.match(back, { kind: 'rollback', status: 'Succeeded' })
})

t.test('each turn from healthy to ill gives a monitored walk its whole retry time again', async t => {
  const lab = deployed()
  lab.accept(to('monitored'))
  lab.settle()
  lab.seen = ({ index }) => (index === 2 ? { state: 'unresponsive' } : {})
  lab.report()
  lab.flow(60_000)
  lab.seen = () => ({})
  lab.report()
  lab.flow(2000)
  lab.seen = ({ index }) => (index === 2 ? { state: 'unresponsive' } : {})
  lab.report()
  lab.flow(60_000)
  t.equal(lab.deployment().upgrade?.direction, 'forward')
  lab.flow(1000)
  t.equal(lab.deployment().upgrade?.direction, 'back')
})

t.test('a rollback half-way restarts only what had moved, the domain in flight first', async t => {
  const lab = deployed()
  const operation = lab.accept(to('manual'))
  lab.settle()
  lab.accept(walk())
  lab.settle()
  const second = lab.accept(walk())
  lab.acknowledge()
  lab.acknowledge()
  lab.report()
  t.equal(lab.instance('web_IN_1').incarnation, 2, 'domain 1 is on its way up')
  const back = lab.accept({ ...rollback, mode: 'manual' })
  t.equal(lab.operation(second).error?.code, 'superseded')
  t.equal(lab.operation(operation).status, 'Succeeded', 'a manual upgrade had ended when it was accepted')
  t.strictSame(lab.deployment().upgrade?.domains, [1, 0])
  lab.settle()
  t.strictSame(lab.refused(walk(0)), ['walk_not_allowed'])
  for (const domain of [1, 0]) {
    lab.accept(walk(domain))
    lab.settle()
  }
  t.equal(lab.operation(back).status, 'Succeeded')
  t.equal(lab.versions(), OLD)
  t.strictSame(
    [0, 1, 2].map(index => lab.instance(`web_IN_${index}`).incarnation),
    [3, 3, 1],
  )
})

t.test('a rollback while the packages are fetched, or while an instance drains, restarts nothing', async t => {
  for (const draining of [false, true]) {
    const lab = deployed()
    const operation = lab.accept(to('auto'))
    if (draining) lab.report()
    const back = lab.accept(rollback)
    lab.settle()
    t.equal(lab.operation(operation).status, 'RolledBack')
    t.equal(lab.operation(back).status, 'Succeeded')
    t.strictSame(
      lab.instances().map(({ incarnation, stage }) => `${incarnation} ${stage}`),
      ['1 serving', '1 serving', '1 serving', '1 serving'],
    )
  }
})

t.test(
  'a rollback while an instance is out of the table but not stopped puts it back as the process it is',
  async t => {
    const lab = deployed()
    lab.accept(to('auto'))
    lab.report()
    lab.acknowledge()
    t.match(lab.stages(), /web0:retiring/)
    lab.accept(rollback)
    t.equal(lab.target('web_IN_0')?.key, 'd1/web_IN_0#1.1')
    t.equal(lab.target('web_IN_0')?.state, 'in')
    lab.settle()
    t.equal(lab.desired('web_IN_0'), 'run 1 1.0.0')
  },
)

t.test('a rollback of an instance that was still starting, and the same again, ends on the old version', async t => {
  const lab = deployed()
  lab.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'starting' } : {})
  lab.accept(to('auto'))
  lab.settle()
  t.match(lab.stages(), /web0:starting/)
  lab.accept(rollback)
  t.match(lab.stages(), /web0:retiring/)
  t.strictSame(lab.refused(rollback), ['rollback_not_allowed'])
  lab.settle()
  t.equal(lab.versions(), OLD)
  t.equal(lab.stages(), 'web0:serving web1:serving web2:serving crunch0:serving')
})

t.test('a deployment may be replaced or deleted in the middle of its upgrade', async t => {
  for (const command of [
    { kind: 'create', ...at, package: V2.digest, replace: true } as const,
    { kind: 'delete', ...at } as const,
  ]) {
    const lab = deployed()
    lab.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'cycling' } : {})
    const upgrade = lab.accept(to('auto'))
    lab.settle()
    lab.seen = () => ({})
    const operation = lab.accept(command)
    t.equal(lab.operation(upgrade).status, 'Cancelled')
    lab.settle()
    t.equal(lab.operation(operation).status, 'Succeeded')
    t.equal(lab.state.services['shop']?.slots.production, command.kind === 'create' ? 'd2' : null)
    t.strictSame(Object.keys(lab.state.deployments), command.kind === 'create' ? ['d2'] : [])
  }
})

t.test('a rollback while an instance stops brings it back as what it was', async t => {
  const lab = deployed()
  lab.accept(to('auto'))
  lab.report()
  lab.acknowledge()
  lab.acknowledge()
  t.equal(lab.desired('web_IN_0'), 'stop 1 1.0.0')
  lab.accept(rollback)
  t.equal(lab.desired('web_IN_0'), 'stop 1 1.0.0')
  lab.report()
  t.equal(lab.desired('web_IN_0'), 'run 2 1.0.0')
  lab.settle()
  t.equal(lab.versions(), OLD)
  t.equal(lab.deployment().upgrade, null)
})

t.test('a package that a node cannot use fails the upgrade before anything is stopped', async t => {
  const lab = deployed()
  const { roles } = lab.state
  lab.packageErrors[V2.digest] = 'is damaged'
  const operation = lab.accept(to('auto'))
  lab.settle()
  t.equal(lab.operation(operation).error?.code, 'invalid_package')
  t.strictSame(lab.state.roles, roles)
})

t.test('a restart of the controller keeps the clocks; a reboot begins a drain and a stable time anew', async t => {
  const other = deployed()
  other.accept(to('auto'))
  other.report()
  other.inFlight = { 'd1/web_IN_0#1.1': 1 }
  other.acknowledge()
  other.pass(5000)
  other.restart()
  other.acknowledge()
  other.pass(2999)
  t.match(other.stages(), /web0:draining/)
  other.pass(1)
  t.match(other.stages(), /web0:retiring/, '8 s over a restart')

  const rebooted = deployed()
  rebooted.accept(to('auto'))
  rebooted.report()
  rebooted.inFlight = { 'd1/web_IN_0#1.1': 1 }
  rebooted.pass(7000)
  rebooted.boot = 'boot-2'
  rebooted.ms = 10
  rebooted.restart()
  rebooted.acknowledge()
  rebooted.pass(7999)
  t.match(rebooted.stages(), /web0:draining/)
  rebooted.pass(1)
  t.match(rebooted.stages(), /web0:retiring/)
})

t.test('settings walk over the domains with the package that runs; counts change at once', async t => {
  const lab = deployed()
  const configure = (roles: Configuration['roles']): Command => ({
    kind: 'configure',
    ...at,
    configuration: { roles },
  })
  t.strictSame(lab.refused(configure({ nope: { instances: 4 } })), ['invalid_configuration'])
  t.strictSame(lab.refused(configure({ web: { settings: { colour: 'red' } } })), ['nothing_to_do'])
  lab.accept(configure({ web: { settings: { colour: 'blue' } } }))
  lab.settle()
  const settings = Object.values(projectAssignments(lab.state)).flatMap(({ instances }) =>
    instances.filter(instance => instance.role === 'web').map(instance => instance.spec.settings['colour']),
  )
  t.strictSame(settings, ['blue', 'blue', 'blue'])
  t.equal(lab.instance('crunch_IN_0').incarnation, 1)
  const scale = lab.accept(configure({ web: { instances: 4 } }))
  lab.settle()
  t.equal(lab.operation(scale).status, 'Succeeded')
  t.equal(lab.instances().length, 5)
  lab.accept(to('auto'))
  lab.settle()
  t.equal(lab.instances().length, 5, 'an upgrade takes the latest accepted configuration')
})

t.test('a rollback while a paused upgrade is being started goes on at once', async t => {
  const lab = deployed()
  lab.accept(to('auto'))
  lab.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'starting' } : {})
  lab.settle()
  lab.accept({ kind: 'status', ...at, status: 'Suspended' })
  lab.settle()
  const start = lab.accept({ kind: 'status', ...at, status: 'Running' })
  lab.settle()
  t.equal(lab.operation(start).status, 'InProgress')
  const back = lab.accept(rollback)
  t.equal(lab.operation(start).status, 'Cancelled')
  lab.settle()
  t.equal(lab.operation(back).status, 'Succeeded')
  t.notMatch(lab.versions(), '2.0.0')
})

t.test('a delete ends a walk, and its operations say which domains it had come to', async t => {
  const lab = deployed()
  const upgrade = lab.accept(to('manual'))
  lab.settle()
  lab.accept(walk())
  lab.settle()
  const second = lab.accept(walk())
  lab.acknowledge()
  lab.accept({ kind: 'delete', ...at })
  t.match(lab.operation(second), { status: 'Cancelled', receipt: { domains: [{ domain: 1, endedAt: null }] } })

  const auto = deployed()
  const walked = auto.accept(to('auto'))
  auto.seen = ({ spec, index }) => (spec.version === '2.0.0' && index === 1 ? { state: 'starting' } : {})
  auto.settle()
  auto.accept({ kind: 'delete', ...at })
  t.match(auto.operation(walked), {
    status: 'Cancelled',
    receipt: { domains: [{ domain: 0 }, { domain: 1, endedAt: null }] },
  })
  t.equal(lab.operation(upgrade).status, 'Succeeded')
})
