import t from 'tap'
import type { Command, UpgradeCommand } from '../../../src/contracts/command.ts'
import type { Release } from '../../../src/model/release.ts'
import { endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

// Cloud Services, "How to update a cloud service", "Initiating multiple mutating operations on an ongoing deployment": an
// upgrade is taken while an update runs, whatever either changes. Service Fabric (`different upgrade while one runs`):
// accepted. Here it takes the place of the first, also where roles, counts and endpoints differ between the three.

const TWO = { upgradeDomainCount: 2 }
const web = role('web', { instances: 2, settings: { colour: 'red' } })
const crunch = role('crunch', { kind: 'worker', endpoints: [], instances: 2 })
const extra = role('extra', { instances: 2, endpoints: [endpoint('side', 8090)] })
const V1 = makeRelease('shop', '1.0.0', [web, crunch], TWO)
/** `web` as it was, `crunch` gone, `extra` new. */
const V2 = makeRelease('shop', '2.0.0', [web, extra], { ...TWO, unchanged: { web: '1.0.0' } })
const V3 = makeRelease('shop', '3.0.0', [web, extra], TWO)
const BACK = makeRelease('shop', '4.0.0', [web, crunch], { ...TWO, unchanged: { web: '1.0.0', crunch: '1.0.0' } })

const at = { service: 'shop', slot: 'production' } as const
const rollback: Command = { kind: 'rollback', ...at }
const to = (release: Release, over: Partial<UpgradeCommand> = {}): UpgradeCommand => ({
  kind: 'upgrade',
  ...at,
  package: release.digest,
  mode: 'auto',
  force: true,
  restartUnchanged: false,
  overlap: false,
  ...over,
})
const scale = (counts: Record<string, number>): Command => ({
  kind: 'configure',
  ...at,
  configuration: {
    roles: Object.fromEntries(Object.entries(counts).map(([name, instances]) => [name, { instances }])),
  },
})

function deployed(releases: Release[] = [V1, V2, V3, BACK]): Lab {
  const lab = new Lab(releases)
  lab.accept({ kind: 'create', ...at, package: releases[0]?.digest ?? '', replace: false })
  lab.settle()
  return lab
}

/** V2 half-way: domain 0 has its `extra`, the one of domain 1 does not come up. */
function halfway(): Lab {
  const lab = deployed()
  lab.seen = ({ instance, spec }) =>
    instance === 'extra_IN_1' && spec.version === '2.0.0' ? { state: 'starting' } : {}
  lab.accept(to(V2))
  lab.settle()
  t.equal(stages(lab), 'crunch0:serving crunch1:serving extra0:serving extra1:starting web0:serving web1:serving')
  return lab
}

/** V2 with everything walked, and one of the two instances of `crunch` gone. */
function leaving(): Lab {
  const lab = deployed()
  lab.accept(to(V2))
  for (let turn = 0; lab.instances().length > 5 && turn < 60; turn++) {
    lab.acknowledge()
    // One node is silent from the last domain on: only what is on the other goes.
    lab.report(lab.deployment().upgrade?.phase === 'removing' ? ['n1'] : undefined)
  }
  t.equal(lab.instances().filter(({ id }) => id.startsWith('crunch')).length, 1)
  return lab
}

const stages = (lab: Lab): string => lab.stages().split(' ').toSorted().join(' ')
const names = (lab: Lab): string => stages(lab).replaceAll(/:\w+/g, '')
const ports = (lab: Lab): number[] =>
  lab.routing().listeners.flatMap(({ slot, port }) => (slot === 'production' ? [port] : []))

/** Runs to the end and answers the most domains out of service at once; what leaves or comes new is not out of service. */
function mostDown(lab: Lab): number {
  let most = 0
  for (let turn = 0; turn < 80; turn++) {
    const out = lab
      .instances()
      .filter(
        ({ stage, next, incarnation }) =>
          stage !== 'serving' && next !== 'remove' && (next !== null || incarnation > 1),
      )
    most = Math.max(most, new Set(out.map(({ upgradeDomain }) => upgradeDomain)).size)
    lab.acknowledge()
    lab.report()
  }
  return most
}

t.test('over an upgrade that adds and removes roles: the next one goes on with the domain in flight', async t => {
  const lab = halfway()
  const first = lab.deployment().upgrade?.operation ?? ''
  const second = lab.accept(to(V3))
  t.match(lab.operation(first), { status: 'Cancelled', error: { code: 'superseded' } })
  t.match(lab.deployment().upgrade, {
    added: ['extra'],
    removed: ['crunch'],
    counts: { crunch: { from: 2, to: 0 }, extra: { from: 0, to: 2 } },
    domains: [1, 0],
  })
  t.equal(mostDown(lab), 1)
  t.equal(lab.operation(second).status, 'Succeeded')
  t.equal(names(lab), 'extra0 extra1 web0 web1')
  t.equal(lab.versions(), '3.0.0 3.0.0 3.0.0 3.0.0')
})

t.test('its rollback leads to before both: what both brought goes, what both take away was never touched', async t => {
  const lab = halfway()
  lab.seen = ({ instance, spec }) => (instance === 'web_IN_0' && spec.version === '3.0.0' ? { state: 'starting' } : {})
  lab.accept(to(V3))
  lab.settle()
  const back = lab.accept(rollback)
  lab.settle()
  t.equal(lab.operation(back).status, 'Succeeded')
  t.equal(names(lab), 'crunch0 crunch1 web0 web1')
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0 1.0.0')
  t.strictSame(lab.operation(back).remarks, [])
  t.equal(lab.instance('crunch_IN_0').incarnation, 1)
  t.strictSame(ports(lab), [8080])
})

t.test('what belongs to neither end goes at once, with its addresses, and gates nothing', async t => {
  const lab = halfway()
  // It never ran as a whole: a rollback would take it away without --force as well.
  lab.accept(to(BACK, { force: false }))
  t.match(lab.deployment().upgrade, { added: ['extra'], removed: ['extra'], counts: { extra: { from: 0, to: 0 } } })
  t.strictSame(ports(lab), [8080])
  t.equal(lab.instance('extra_IN_0').stage, 'draining')
  lab.settle()
  t.equal(names(lab), 'crunch0 crunch1 web0 web1')
  t.notOk(Object.keys(lab.state.roles).some(key => key.endsWith('/extra')))
  t.strictSame(
    lab.instances().map(({ incarnation }) => incarnation),
    [1, 1, 1, 1],
    'nothing else was touched',
  )
  t.equal(lab.deployment().version, '4.0.0')
})

t.test('what had gone already comes back empty, and the receipt says so', async t => {
  const lab = leaving()
  const second = lab.accept(to(BACK))
  t.match(lab.operation(second).remarks, [/^crunch_IN_\d had gone and came back without what they had stored locally$/])
  lab.settle()
  t.equal(lab.operation(second).status, 'Succeeded')
  t.equal(names(lab), 'crunch0 crunch1 web0 web1')
  t.equal(lab.instances().filter(({ clean }) => clean === 'all').length, 1)
})

t.test('a role that the second one removes as well stays gone until a rollback brings all of it back', async t => {
  const lab = leaving()
  lab.seen = ({ spec, index }) => (spec.version === '3.0.0' && index === 0 ? { state: 'starting' } : {})
  lab.accept(to(V3))
  lab.settle()
  t.notOk(names(lab).includes('crunch0 crunch1'))
  const back = lab.accept(rollback)
  lab.settle()
  t.equal(lab.operation(back).status, 'Succeeded')
  t.equal(names(lab), 'crunch0 crunch1 web0 web1')
  t.match(lab.operation(back).remarks, [/^crunch_IN_0, crunch_IN_1 had gone/])
})

t.test('the same target again is refused; over its rollback it is taken', async t => {
  const lab = halfway()
  t.strictSame(lab.refused(to(V2)), ['identical_target'])
  lab.accept(rollback)
  lab.accept(to(V2))
  lab.seen = () => ({})
  lab.settle()
  t.equal(names(lab), 'extra0 extra1 web0 web1')
})

t.test('a third one over both', async t => {
  const lab = halfway()
  lab.accept(to(BACK))
  lab.accept(to(V3))
  t.match(lab.deployment().upgrade, { added: ['extra'], removed: ['crunch'], counts: { extra: { from: 0, to: 2 } } })
  lab.settle()
  t.equal(names(lab), 'extra0 extra1 web0 web1')
  t.equal(lab.versions(), '3.0.0 3.0.0 3.0.0 3.0.0')
})

t.test('the upgrade of one role takes roles that come and go along', async t => {
  const lab = halfway()
  lab.accept(to(V3, { role: 'web' }))
  t.match(lab.deployment().upgrade, { added: ['extra'], removed: ['crunch'] })
  lab.seen = () => ({})
  lab.settle()
  t.equal(names(lab), 'extra0 extra1 web0 web1')
  t.equal(lab.instance('extra_IN_0').incarnation, 1)
})

// 1 → N scaling, superseded on its way.

const ONE = makeRelease('shop', '1.0.0', [{ ...web, instances: 1 }], TWO)
const THREE = makeRelease('shop', '2.0.0', [{ ...web, instances: 3 }], TWO)
const FEWER = makeRelease('shop', '3.0.0', [web], TWO)
const MORE = makeRelease('shop', '4.0.0', [{ ...web, instances: 4 }], TWO)

t.test('larger counts that do not come up are given up for others: the superfluous go, the missing come', async t => {
  for (const [next, indexes] of [
    [FEWER, 2],
    [MORE, 4],
  ] as const) {
    const lab = deployed([ONE, THREE, FEWER, MORE])
    lab.seen = ({ index, spec }) => (index > 0 && spec.version === '1.0.0' ? { state: 'starting' } : {})
    lab.accept(to(THREE))
    lab.settle()
    t.equal(lab.deployment().upgrade?.phase, 'preparing')
    lab.accept(to(next))
    t.match(lab.deployment().upgrade?.counts, { web: { from: 1, to: indexes } })
    lab.settle()
    t.equal(lab.versions(), Array(indexes).fill('1.0.0').join(' '), 'they start on the version from before both')
    lab.seen = () => ({})
    lab.settle()
    t.equal(lab.versions(), Array(indexes).fill(next.definition.version).join(' '))
  }
})

t.test('an instance that came with the first and was moved by it goes straight to the second', async t => {
  const lab = deployed([ONE, THREE, FEWER, MORE])
  lab.seen = ({ index, spec }) => (index === 2 && spec.version === '2.0.0' ? { state: 'cycling' } : {})
  lab.accept(to(THREE))
  lab.settle()
  t.equal(lab.versions(), '2.0.0 1.0.0 2.0.0')
  const second = lab.accept(to(MORE))
  t.equal(mostDown(lab), 1)
  t.equal(lab.operation(second).status, 'Succeeded')
  t.equal(lab.versions(), '4.0.0 4.0.0 4.0.0 4.0.0')
})

t.test('a smaller count superseded: what had begun to drain stays up, as the process it is', async t => {
  const lab = deployed([MORE, makeRelease('shop', '5.0.0', [web], { ...TWO, unchanged: { web: '4.0.0' } }), THREE])
  lab.inFlight = { 'd1/web_IN_2#1.1': 1, 'd1/web_IN_3#1.1': 1 }
  lab.accept(to(makeRelease('shop', '5.0.0', [web], { ...TWO, unchanged: { web: '4.0.0' } })))
  for (let turn = 0; lab.instance('web_IN_3').next === null && turn < 40; turn++) {
    lab.acknowledge()
    lab.report()
  }
  t.equal(lab.instance('web_IN_2').stage, 'draining')
  lab.accept(to(makeRelease('shop', '2.0.0', [{ ...web, instances: 3 }], TWO), { mode: 'manual' }))
  t.equal(lab.instance('web_IN_2').next, null)
  t.equal(lab.instance('web_IN_3').next, 'remove', 'what neither needs goes on')
  lab.inFlight = {}
  lab.settle()
  t.equal(lab.instance('web_IN_2').incarnation, 1)
  lab.accept(rollback)
  lab.settle()
  t.equal(names(lab), 'web0 web1 web2 web3')
})

t.test('a scale over it is a walk in its place, in its mode and under its policy', async t => {
  const lab = halfway()
  const first = lab.deployment().upgrade?.operation ?? ''
  lab.accept(to(V3, { mode: 'monitored', policy: { healthCheckStableDuration: '3s' } }))
  const scaled = lab.accept(scale({ web: 4, extra: 1 }))
  t.match(lab.operation(first).status, 'Cancelled')
  t.match(lab.operation(scaled), { kind: 'configure', status: 'InProgress' })
  t.match(lab.deployment(), { upgrade: { mode: 'monitored' }, policy: { healthCheckStableDurationMs: 3000 } })
  for (let domain = 0; domain < 3; domain++) {
    lab.settle()
    lab.flow(3000)
  }
  lab.settle()
  t.equal(lab.operation(scaled).status, 'Succeeded')
  t.equal(names(lab), 'extra0 web0 web1 web2 web3')
  t.equal(new Set(lab.versions().split(' ')).size, 1)
})

t.test('it takes the place of a scale that has not ended; a rollback leads to what that asked for', async t => {
  const lab = deployed()
  lab.seen = ({ index }) => (index > 1 ? { state: 'starting' } : {})
  const scaled = lab.accept(scale({ web: 3 }))
  lab.accept(to(V2))
  t.match(lab.operation(scaled), { status: 'Cancelled', error: { code: 'superseded' } })
  t.match(lab.deployment().upgrade?.counts, { web: undefined })
  lab.accept(rollback)
  lab.settle()
  t.equal(lab.deployment().configuration.roles['web']?.instances, 3)
})

// Endpoints.

const port = (version: string, number: number): Release =>
  makeRelease('shop', version, [{ ...web, endpoints: [endpoint('http', number)] }], TWO)

t.test('endpoints over endpoints: addresses of neither end close at once, those of both ends are served', async t => {
  const [first, second, third] = [port('1.0.0', 8080), port('2.0.0', 9090), port('3.0.0', 7070)]
  for (const next of [third, port('5.0.0', 8080)]) {
    const lab = deployed([first, second, next])
    lab.accept(to(second, { mode: 'manual' }))
    lab.settle()
    lab.accept({ kind: 'walk', ...at })
    lab.settle()
    t.strictSame(new Set(ports(lab)), new Set([8080, 9090]))
    lab.accept(to(next))
    const end = next.definition.roles['web']?.endpoints[0]?.port ?? 0
    t.strictSame(new Set(ports(lab)), new Set([8080, end]))
    lab.settle()
    t.strictSame(ports(lab), [end])
    t.equal(lab.deployment().upgrade, null)
  }
})

t.test('a package that cannot be used, or a port that is taken, over such a walk: back to before both', async t => {
  for (const fault of ['package', 'port'] as const) {
    const lab = halfway()
    const other = { ...extra, endpoints: [endpoint('side', 8095)] }
    const next = makeRelease('shop', '6.0.0', [web, other], { ...TWO, unchanged: { web: '1.0.0' } })
    lab.input({ kind: 'release-added', release: next })
    if (fault === 'package') lab.packageErrors[next.digest] = 'is damaged'
    else lab.takenPorts.add(8095)
    const second = lab.accept(to(next))
    lab.settle()
    t.match(lab.operation(second), {
      status: 'Failed',
      error: { code: fault === 'package' ? 'invalid_package' : 'port_in_use' },
    })
    t.equal(names(lab), 'crunch0 crunch1 web0 web1')
    t.strictSame(ports(lab), [8080])
    t.equal(lab.deployment().upgrade, null)
  }
})

t.test('a rollback of such a walk that cannot start an old instance halts, and a fresh upgrade mends it', async t => {
  const lab = deployed()
  lab.accept(to(V3, { mode: 'unmonitored-manual' }))
  lab.settle()
  lab.seen = ({ spec, incarnation }) => (spec.version === '1.0.0' && incarnation > 1 ? { state: 'cycling' } : {})
  const back = lab.accept(rollback)
  lab.settle()
  t.match(lab.operation(back), { status: 'Failed', error: { code: 'start_failed' } })
  t.equal(lab.deployment().upgrade?.phase, 'halted')
  const mended = lab.accept(to(V3))
  lab.settle()
  t.equal(lab.operation(mended).status, 'Succeeded')
  t.equal(names(lab), 'extra0 extra1 web0 web1')
})

t.test('a controller that dies between goes on with the second', async t => {
  const lab = leaving()
  lab.accept(to(BACK))
  lab.restart()
  lab.connectProxy('p1')
  lab.settle()
  t.equal(names(lab), 'crunch0 crunch1 web0 web1')
  t.equal(lab.deployment().version, '4.0.0')
})
