import t from 'tap'
import type { Command, UpgradeCommand } from '../../../src/contracts/command.ts'
import { viewDeployment } from '../../../src/controller/views/deployment-view.ts'
import { endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const TWO = { upgradeDomainCount: 2 }
const web = role('web', { instances: 2, settings: { colour: 'red' } })
const crunch = role('crunch', { kind: 'worker', endpoints: [], instances: 2 })
const extra = role('extra', { instances: 2, endpoints: [endpoint('side', 8090)] })
const V1 = makeRelease('shop', '1.0.0', [web, crunch], TWO)
/** `web` as it was, `crunch` gone, `extra` new. */
const V2 = makeRelease('shop', '2.0.0', [web, extra], { ...TWO, unchanged: { web: '1.0.0' } })
const V3 = makeRelease('shop', '3.0.0', [web, extra], TWO)
const BACK = makeRelease('shop', '4.0.0', [web, crunch], { ...TWO, unchanged: { web: '1.0.0', crunch: '1.0.0' } })
const RELEASES = [V1, V2, V3, BACK]

const at = { service: 'shop', slot: 'production' } as const
const rollback: Command = { kind: 'rollback', ...at }
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

function deployed(releases = RELEASES, nodes?: string[]): Lab {
  const lab = new Lab(releases, nodes)
  lab.accept({ kind: 'create', ...at, package: releases[0]?.digest ?? '', replace: false })
  lab.settle()
  return lab
}

const names = (lab: Lab): string =>
  lab
    .instances()
    .map(({ id }) => id.replace('_IN_', ''))
    .toSorted()
    .join(' ')

const addresses = (lab: Lab): string[] =>
  lab
    .routing()
    .listeners.map(({ key, port, pool }) => `${key} ${port} ${pool === null ? 'closed' : 'open'}`)
    .toSorted()

const expecting = (lab: Lab, pool: string): boolean | undefined => lab.routing().pools[pool]?.expecting

/** Acknowledges and reports so often, not to the end. */
function turn(lab: Lab, times: number): void {
  for (let index = 0; index < times; index++) {
    lab.acknowledge()
    lab.report()
  }
}

// Issue of the walk in Cloud Services: "Add or remove roles" in place yes. Service Fabric, default services: new ones are
// always created; absent ones deleted "only after the last upgrade domain is verified".

t.test('an added role starts domain by domain, a removed one goes after the last domain', async t => {
  const lab = deployed()
  lab.accept(to(V2, { mode: 'manual' }))
  t.equal(names(lab), 'crunch0 crunch1 extra0 extra1 web0 web1')
  t.match(lab.stages(), /extra0:planned extra1:planned/)
  lab.settle()
  t.match(lab.stages(), /extra0:planned extra1:planned/, 'nothing starts before its domain')
  lab.accept({ kind: 'walk', ...at })
  lab.settle()
  t.match(lab.stages(), /crunch0:serving crunch1:serving extra0:serving extra1:planned/)
  lab.accept({ kind: 'walk', ...at })
  lab.settle()
  t.equal(names(lab), 'extra0 extra1 web0 web1')
  t.equal(lab.deployment().upgrade, null)
  t.equal(lab.instance('web_IN_0').incarnation, 1, 'a role that did not change is not touched')
  lab.accept(to(BACK))
  lab.settle()
  t.equal(names(lab), 'crunch0 crunch1 web0 web1')
  t.equal(lab.instance('crunch_IN_0').incarnation, 2, 'a role of that name was there before')
})

t.test('a rollback half-way removes what was added and has not touched what was to go', async t => {
  const lab = deployed()
  const upgrade = lab.accept(to(V2))
  lab.seen = ({ instance }) => (instance === 'extra_IN_1' ? { state: 'starting' } : {})
  lab.settle()
  t.match(lab.stages(), /extra0:serving extra1:starting/)
  const back = lab.accept(rollback)
  lab.settle()
  t.equal(lab.operation(upgrade).status, 'RolledBack')
  t.equal(lab.operation(back).status, 'Succeeded')
  t.strictSame(lab.operation(back).remarks, [])
  t.equal(names(lab), 'crunch0 crunch1 web0 web1')
  t.equal(lab.instance('crunch_IN_0').incarnation, 1)
  t.notOk(
    addresses(lab).some(address => address.includes('extra')),
    'its addresses are closed',
  )
})

t.test('a monitored upgrade whose added role does not start goes back by itself', async t => {
  const lab = deployed()
  lab.seen = ({ role: name }) => (name === 'extra' ? { state: 'cycling' } : {})
  const upgrade = lab.accept(to(V2, { mode: 'monitored' }))
  lab.settle()
  lab.pass(60_000)
  lab.settle()
  t.equal(lab.operation(upgrade).status, 'RolledBack')
  t.equal(names(lab), 'crunch0 crunch1 web0 web1')
})

t.test('a removed role that comes back has lost what it stored locally, and the receipt says so', async t => {
  const lab = deployed()
  lab.accept(to(V2))
  for (let turns = 0; lab.deployment().upgrade?.phase !== 'removing' && turns < 50; turns++) turn(lab, 1)
  const waitingFor = () =>
    viewDeployment(lab.state, lab.deployment(), 'production', lab.now).upgradeStatus?.waitingFor ?? null
  t.equal(waitingFor(), 'what 2.0.0 does not have to drain and stop')
  lab.report()
  t.match(lab.stages(), /crunch0:serving crunch1:serving/, 'nothing goes before its addresses are closed everywhere')
  const stops = lab.seen
  // One node is silent: only what is on the other goes.
  for (let turns = 0; turns < 10; turns++) {
    lab.acknowledge()
    lab.report(['n1'])
  }
  lab.seen = stops
  t.equal(lab.instances().filter(({ id }) => id.startsWith('crunch')).length, 1)
  const back = lab.accept(rollback)
  for (let turns = 0; lab.deployment().upgrade?.phase !== 'removing' && turns < 50; turns++) turn(lab, 1)
  t.equal(waitingFor(), 'what 1.0.0 does not have to drain and stop')
  lab.settle()
  t.equal(lab.operation(back).status, 'Succeeded')
  t.equal(names(lab), 'crunch0 crunch1 web0 web1')
  t.match(lab.operation(back).remarks, [/^crunch_IN_\d had gone and came back without what they had stored locally$/])
  const fresh = lab.instances().filter(({ id, clean }) => id.startsWith('crunch') && clean === 'all')
  t.equal(fresh.length, 1)
})

t.test('without role changes an absent role is kept, a modified one refused, a new one created', async t => {
  const lab = deployed()
  const off = { allowRoleChanges: false, force: false }
  lab.accept(to(V2, off))
  lab.settle()
  t.equal(names(lab), 'crunch0 crunch1 extra0 extra1 web0 web1')
  lab.accept({ kind: 'configure', ...at, configuration: { roles: { crunch: { instances: 1 } } } })
  lab.settle()
  t.equal(names(lab), 'crunch0 extra0 extra1 web0 web1', 'a kept role can be scaled')
  const more = makeRelease('shop', '5.0.0', [{ ...web, instances: 3 }], TWO)
  lab.input({ kind: 'release-added', release: more })
  t.match(lab.refusal(to(more, off)), {
    code: 'change_not_allowed',
    message: /role web: its number of instances differs, and role changes are not allowed/,
  })
})

// "Number or type of endpoints: in place yes": an added one listens on both VIPs and answers 503 until an instance is ready.

t.test('an added endpoint listens on both VIPs at once and is not waited for', async t => {
  const more = { ...web, endpoints: [endpoint('http', 8080), endpoint('api', 8090)] }
  const next = makeRelease('shop', '2.0.0', [more, crunch], { ...TWO, unchanged: { crunch: '1.0.0' } })
  const lab = deployed([V1, next])
  lab.accept(to(next))
  t.strictSame(addresses(lab), [
    'shop/production/web/api 8090 open',
    'shop/production/web/http 8080 open',
    'shop/staging/web/api 8091 closed',
    'shop/staging/web/http 8081 closed',
  ])
  t.equal(expecting(lab, 'd1/web/api'), false, '503 at once')
  t.equal(expecting(lab, 'd1/web/http'), true)
  lab.report()
  t.match(lab.stages(), /web0:serving/, 'nothing goes down before the addresses are bound')
  for (let turns = 0; lab.instance('web_IN_0').incarnation === 1 && turns < 50; turns++) turn(lab, 1)
  t.strictSame(lab.routing().pools['d1/web/api']?.targets, [])
  t.equal(expecting(lab, 'd1/web/api'), false, 'not while the first instance with it starts either')
  for (let turns = 0; lab.instance('web_IN_1').stage === 'serving' && turns < 50; turns++) turn(lab, 1)
  t.strictSame(
    lab.routing().pools['d1/web/api']?.targets.map(({ instance, state }) => `${instance} ${state}`),
    ['web_IN_0 in'],
  )
  t.equal(expecting(lab, 'd1/web/api'), true)
  lab.accept(rollback)
  t.ok(addresses(lab).includes('shop/production/web/api 8090 open'), 'a rollback keeps it until nothing has it')
  lab.settle()
  t.strictSame(addresses(lab), ['shop/production/web/http 8080 open', 'shop/staging/web/http 8081 closed'])
})

t.test('a removed endpoint is there until the last domain is verified, and back with a rollback', async t => {
  const two = { ...web, endpoints: [endpoint('http', 8080), endpoint('api', 8090)] }
  const first = makeRelease('shop', '1.0.0', [two], TWO)
  const next = makeRelease('shop', '2.0.0', [web], TWO)
  const lab = deployed([first, next])
  lab.seen = ({ spec, index }) => (spec.version === '2.0.0' && index === 1 ? { state: 'starting' } : {})
  lab.accept(to(next))
  lab.settle()
  t.match(lab.stages(), /web0:serving web1:starting/)
  t.ok(addresses(lab).includes('shop/production/web/api 8090 open'))
  t.strictSame(lab.routing().pools['d1/web/api']?.targets, [], 'nobody has it any more')
  t.equal(expecting(lab, 'd1/web/api'), false)
  lab.accept(rollback)
  lab.settle()
  t.equal(lab.routing().pools['d1/web/api']?.targets.length, 2)
  lab.seen = () => ({})
  lab.accept(to(next))
  lab.settle()
  t.strictSame(addresses(lab), ['shop/production/web/http 8080 open', 'shop/staging/web/http 8081 closed'])
})

t.test('another port is served by all instances on both, then the old one closes', async t => {
  const next = makeRelease('shop', '2.0.0', [{ ...web, endpoints: [endpoint('http', 9090)] }], TWO)
  const lab = deployed([makeRelease('shop', '1.0.0', [web], TWO), next, V1])
  lab.accept(to(next, { mode: 'manual' }))
  lab.settle()
  lab.accept({ kind: 'walk', ...at })
  lab.settle()
  t.strictSame(addresses(lab), [
    'shop/production/web/http 8080 open',
    'shop/production/web/http@9090 9090 open',
    'shop/staging/web/http 8081 closed',
    'shop/staging/web/http@9090 9091 closed',
  ])
  t.equal(lab.routing().pools['d1/web/http']?.targets.length, 2)
  lab.accept({ kind: 'walk', ...at })
  lab.settle()
  t.strictSame(addresses(lab), ['shop/production/web/http@9090 9090 open', 'shop/staging/web/http@9090 9091 closed'])
})

t.test('an endpoint renamed on its port is served all the way', async t => {
  const next = makeRelease('shop', '2.0.0', [{ ...web, endpoints: [endpoint('site', 8080)] }], TWO)
  const lab = deployed([makeRelease('shop', '1.0.0', [web], TWO), next])
  lab.accept(to(next))
  for (let turns = 0; lab.deployment().upgrade !== null && turns < 60; turns++) {
    turn(lab, 1)
    const { pool } = lab.routing().listeners.find(({ port }) => port === 8080) ?? { pool: null }
    const ready = lab.routing().pools[pool ?? '']?.targets.filter(({ state }) => state === 'in').length ?? 0
    t.ok(ready >= 1, 'somebody serves 8080')
  }
  t.strictSame(addresses(lab), ['shop/production/web/site 8080 open', 'shop/staging/web/site 8081 closed'])
})

t.test('a port that is taken fails the upgrade with nothing stopped and nothing left behind', async t => {
  const next = makeRelease('shop', '2.0.0', [web, extra], TWO)
  const lab = deployed([makeRelease('shop', '1.0.0', [web], TWO), next])
  const before = [addresses(lab), lab.stages()]
  lab.takenPorts.add(8090)
  const upgrade = lab.accept(to(next))
  lab.settle()
  t.match(lab.operation(upgrade), { status: 'Failed', error: { code: 'port_in_use', message: /8090/ } })
  t.strictSame([addresses(lab), lab.stages()], before)
  t.strictSame(Object.keys(lab.state.roles), ['d1/web'])
})

t.test('an address of another service is in the way before anything begins', async t => {
  const blog = makeRelease('blog', '1.0.0', [role('web', { endpoints: [endpoint('http', 8090, { protocol: 'tcp' })] })])
  const lab = deployed([...RELEASES, blog])
  lab.accept({ kind: 'create', service: 'blog', slot: 'production', package: blog.digest, replace: false })
  lab.settle()
  t.strictSame(lab.refused(to(V2)).slice(0, 1), ['address_conflict'])
})

// 1 → N together with an upgrade scales first; the highest index first on the way in.

t.test('more instances start on the old version before the first domain goes down', async t => {
  const next = makeRelease('shop', '2.0.0', [web], TWO)
  const lab = deployed([makeRelease('shop', '1.0.0', [{ ...web, instances: 1 }], TWO), next])
  lab.seen = ({ index, spec }) => (spec.version === '1.0.0' && index === 2 ? { state: 'starting' } : {})
  const upgrade = lab.accept(to(next, { configuration: { roles: { web: { instances: 3 } } } }))
  lab.settle()
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0')
  t.equal(lab.deployment().upgrade?.phase, 'preparing')
  lab.seen = () => ({})
  lab.settle()
  t.equal(lab.operation(upgrade).status, 'Succeeded')
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0')
  t.strictSame(lab.deployment().configuration.roles['web']?.instances, 3)
})

t.test('instances that do not start on the old version turn the upgrade round before anything is stopped', async t => {
  const next = makeRelease('shop', '2.0.0', [web], TWO)
  const lab = deployed([makeRelease('shop', '1.0.0', [{ ...web, instances: 1 }], TWO), next])
  lab.seen = ({ index }) => (index === 1 ? { state: 'cycling' } : {})
  const upgrade = lab.accept(to(next))
  lab.settle()
  t.equal(lab.operation(upgrade).status, 'RolledBack')
  t.equal(names(lab), 'web0')
  t.equal(lab.instance('web_IN_0').incarnation, 1)
})

t.test(
  'what a larger count brings, or a rollback brings back, is not waited for once it was ready and is sick',
  async t => {
    const next = makeRelease('shop', '2.0.0', [web], TWO)
    const lab = deployed([makeRelease('shop', '1.0.0', [{ ...web, instances: 1 }], TWO), next])
    lab.accept(to(next, { configuration: { roles: { web: { instances: 3 } } } }))
    lab.seen = ({ index }) => (index === 2 ? { state: 'starting' } : {})
    lab.settle()
    lab.seen = ({ index }) => (index === 1 ? { state: 'unresponsive' } : {})
    lab.settle()
    t.match(
      lab.deployment().upgrade,
      { phase: 'waiting', belowFloor: true },
      'its floor keeps the domain up, and says so',
    )
    lab.seen = () => ({})
    lab.settle()
    t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0')

    lab.accept(to(next, { configuration: { roles: { web: { instances: 1 } } }, restartUnchanged: true, force: true }))
    // Everything but what is to go is through.
    while (lab.deployment().upgrade?.phase !== 'removing') turn(lab, 1)
    turn(lab, 1)
    const back = lab.accept(rollback)
    lab.seen = ({ index }) => (index === 1 ? { state: 'unresponsive' } : {})
    lab.settle()
    t.equal(lab.operation(back).status, 'Succeeded')
  },
)

t.test('fewer instances go last, untouched until then, settings in the same step', async t => {
  const lab = deployed([makeRelease('shop', '1.0.0', [{ ...web, instances: 4 }], TWO)])
  lab.accept({
    kind: 'configure',
    ...at,
    configuration: { roles: { web: { instances: 2, settings: { colour: 'blue' } } } },
  })
  lab.seen = ({ index, spec }) => (spec.settings['colour'] === 'blue' && index === 1 ? { state: 'starting' } : {})
  lab.settle()
  t.equal(names(lab), 'web0 web1 web2 web3')
  t.equal(lab.instance('web_IN_3').incarnation, 1)
  lab.seen = () => ({})
  lab.settle()
  t.equal(names(lab), 'web0 web1')
})

t.test('a count that only the package changed stays when settings change later', async t => {
  const more = makeRelease('shop', '2.0.0', [{ ...web, instances: 4 }], { ...TWO, unchanged: { web: '1.0.0' } })
  const lab = deployed([makeRelease('shop', '1.0.0', [web], TWO), more])
  lab.accept(to(more))
  lab.settle()
  t.equal(names(lab), 'web0 web1 web2 web3')
  t.equal(lab.instance('web_IN_0').incarnation, 1, 'a larger count alone restarts nothing')
  lab.accept({ kind: 'configure', ...at, configuration: { roles: { web: { settings: { colour: 'blue' } } } } })
  lab.settle()
  t.equal(names(lab), 'web0 web1 web2 web3')
})

t.test('another size empties local data on the way forward and back, and needs force', async t => {
  const sizes = { Small: { cores: 1, memoryBytes: 1 }, Large: { cores: 2, memoryBytes: 1 } }
  const small = makeRelease('shop', '1.0.0', [{ ...web, size: 'Small' }], TWO)
  const large = makeRelease('shop', '2.0.0', [{ ...web, size: 'Large' }], TWO)
  const lab = new Lab([small, large])
  lab.settings.sizes = sizes
  lab.restart()
  for (const node of ['n1', 'n2']) lab.connectAgent(node)
  lab.accept({ kind: 'create', ...at, package: small.digest, replace: false })
  lab.settle()
  t.strictSame(lab.refused(to(large, { force: false })), ['force_required'])
  lab.seen = ({ spec, index }) => (spec.version === '2.0.0' && index === 1 ? { state: 'starting' } : {})
  lab.accept(to(large))
  lab.settle()
  t.equal(lab.instance('web_IN_0').clean, 'all')
  lab.accept(rollback)
  lab.settle()
  t.strictSame(
    lab.instances().map(({ clean, incarnation }) => `${clean} ${incarnation}`),
    ['all 3', 'all 3'],
  )
})

t.test('a journal of an earlier version is taken up', async t => {
  const lab = deployed()
  lab.accept(to(V3, { mode: 'manual' }))
  lab.settle()
  const text = JSON.stringify(lab.state)
    .replaceAll(/,"platform":\{[^}]*\}/g, '')
    .replaceAll(/,"formerRoles":\{\}/g, '')
    .replaceAll(/,"remarks":\[\]/g, '')
  t.notMatch(text, /platform|formerRoles|remarks/)
  lab.state = JSON.parse(text) as Lab['state'] // its own words
  lab.restart()
  for (const node of ['n1', 'n2']) lab.connectAgent(node)
  for (const domain of [0, 1]) {
    lab.settle()
    lab.accept({ kind: 'walk', ...at, domain })
  }
  lab.settle()
  t.equal(lab.deployment().version, '3.0.0')
})
