import t from 'tap'
import type { Command, UpgradeCommand } from '../../../src/contracts/command.ts'
import type { Release } from '../../../src/model/release.ts'
import type { UpgradeMode } from '../../../src/model/states.ts'
import { viewDeployment } from '../../../src/controller/views/deployment-view.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const web = role('web', { instances: 3, settings: { colour: 'red' } })
const crunch = role('crunch', { kind: 'worker', endpoints: [], instances: 1 })
const of = (version: string, roles = [web, crunch], unchanged = {}): Release =>
  makeRelease('shop', version, roles, { upgradeDomainCount: 3, unchanged })
const stored = (sizeBytes: number) => ({
  ...web,
  localStorage: [{ name: 'cache', sizeBytes, cleanOnRecycle: false }],
})
const V1 = of('1.0.0')
const V2 = of('2.0.0', [web, crunch], { crunch: '1.0.0' })
const V3 = of('3.0.0', [web, crunch], { crunch: '1.0.0' })
const V4 = of('4.0.0')
const SMALL = of('5.0.0', [stored(1000), crunch])
const LARGE = of('6.0.0', [stored(2000), crunch])

const at = { service: 'shop', slot: 'production' } as const
const rollback = { kind: 'rollback', ...at } as const
const to = (release: Release, mode: UpgradeMode = 'auto', over: Partial<UpgradeCommand> = {}): UpgradeCommand => ({
  kind: 'upgrade',
  ...at,
  package: release.digest,
  mode,
  force: false,
  restartUnchanged: false,
  overlap: false,
  ...over,
})
const roles = (value: object): Command =>
  ({ kind: 'configure', ...at, configuration: { roles: { web: value } } }) as Command

function deployed(release = V1): Lab {
  const lab = new Lab([V1, V2, V3, V4, SMALL, LARGE])
  lab.accept({ kind: 'create', ...at, package: release.digest, replace: false })
  lab.settle()
  return lab
}

/** V2 is on domain 0 and does not come up in domain 1. */
function stuck(mode: UpgradeMode = 'auto'): Lab {
  const lab = deployed()
  lab.seen = ({ spec, index }) => (spec.version === '2.0.0' && index === 1 ? { state: 'cycling' } : {})
  lab.accept(to(V2, mode))
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 1.0.0 1.0.0')
  return lab
}

const incarnations = (lab: Lab): string =>
  lab
    .instances()
    .map(({ incarnation }) => incarnation)
    .join(' ')

/** Runs to the end and answers the most domains that had an instance out of service at once. */
function mostDown(lab: Lab): number {
  let most = 0
  for (let turn = 0; turn < 60; turn++) {
    const down = new Set(
      lab.instances().flatMap(({ stage, upgradeDomain }) => (stage === 'serving' ? [] : [upgradeDomain])),
    )
    most = Math.max(most, down.size)
    lab.acknowledge()
    lab.report()
  }
  return most
}

// "Initiating a second update operation while the first update is ongoing will perform similar to the rollback operation."
t.test('a fresh upgrade over a stuck one begins with the domain in flight, and never are two down', async t => {
  const lab = stuck()
  const first = lab.deployment().upgrade?.operation ?? ''
  const second = lab.accept(to(V3))
  t.match(lab.operation(first), { status: 'Cancelled', error: { code: 'superseded' } })
  t.strictSame(lab.deployment().upgrade?.domains, [1, 0, 2])
  t.equal(mostDown(lab), 1)
  t.equal(lab.operation(second).status, 'Succeeded')
  t.equal(lab.versions(), '3.0.0 3.0.0 3.0.0 1.0.0')
})

t.test('the receipt of what was superseded, rolled back or failed names the domains it had come to', async t => {
  const walked = (lab: Lab, id: string) =>
    lab.operation(id).receipt?.domains.map(({ domain, endedAt }) => [domain, endedAt !== null])
  for (const next of [to(V3), rollback]) {
    const lab = stuck()
    const first = lab.deployment().upgrade?.operation ?? ''
    lab.accept(next)
    // Service Fabric: "if interrupted (new upgrade / rollback) -> roll back, reason Interrupted".
    t.match(lab.operation(first).failure, { reason: 'Interrupted', domain: 1 })
    t.strictSame(walked(lab, first), [
      [0, true],
      [1, false],
    ])
  }
  for (const [failureAction, status] of [
    ['rollback', 'RolledBack'],
    ['manual', 'Failed'],
  ] as const) {
    const lab = deployed()
    lab.seen = ({ spec, index }) => (spec.version === '2.0.0' && index === 1 ? { state: 'cycling' } : {})
    const first = lab.accept(to(V2, 'monitored', { policy: { failureAction } }))
    for (const ms of [10_000, 60_000]) {
      lab.settle()
      lab.flow(ms)
    }
    t.equal(lab.operation(first).status, status)
    t.strictSame(walked(lab, first), [
      [0, true],
      [1, false],
    ])
  }
})

// "If the second update is in automatic mode, the first upgrade domain will be upgraded immediately, possibly leading to
// instances from multiple upgrade domains being offline at the same point in time."
t.test('with overlap the first domain begins at once, as in Azure', async t => {
  const lab = stuck()
  lab.accept(to(V3, 'auto', { overlap: true }))
  t.strictSame(lab.deployment().upgrade?.domains, [0, 1, 2])
  t.equal(mostDown(lab), 2)
  t.equal(lab.versions(), '3.0.0 3.0.0 3.0.0 1.0.0')
})

t.test('the rollback of an upgrade over an upgrade leads to before both, and leaves the untouched alone', async t => {
  const lab = stuck()
  lab.seen = ({ spec }) => (spec.version === '1.0.0' ? {} : { state: 'cycling' })
  lab.accept(to(V3))
  lab.settle()
  const back = lab.accept(rollback)
  t.strictSame(lab.deployment().upgrade?.domains, [1, 0])
  lab.settle()
  t.equal(lab.operation(back).status, 'Succeeded')
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0 1.0.0')
  t.equal(lab.instance('web_IN_2').incarnation, 1)
  t.equal(lab.deployment().version, '1.0.0')
})

t.test('a third upgrade remembers the domain that the first one left in flight', async t => {
  const lab = stuck()
  lab.packageErrors[V3.digest] = 'later'
  lab.accept(to(V3))
  lab.accept(to(V4))
  t.strictSame(lab.deployment().upgrade?.domains, [1, 0, 2])
  t.equal(mostDown(lab), 1)
  t.equal(lab.versions(), '4.0.0 4.0.0 4.0.0 4.0.0')
})

t.test('an upgrade back to where the first came from moves only what had moved, and has no rollback', async t => {
  const lab = stuck()
  lab.accept(to(V1))
  t.strictSame(lab.refused(rollback), ['identical_target'])
  lab.settle()
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0 1.0.0')
  t.equal(lab.instance('web_IN_2').incarnation, 1)
})

t.test('where the walk goes already is refused, unless everything is to be restarted', async t => {
  const lab = stuck()
  t.strictSame(lab.refused(to(V2)), ['identical_target'])
  lab.seen = () => ({})
  lab.accept(to(V2, 'auto', { restartUnchanged: true }))
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0 2.0.0')
  t.equal(lab.deployment().upgrade, null)
})

t.test('the upgrade of one role takes the others along to where they were going', async t => {
  const lab = stuck()
  lab.seen = () => ({})
  lab.accept(to(V4, 'auto', { role: 'crunch' }))
  t.equal(mostDown(lab), 1)
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0 4.0.0')
})

t.test('settings over a running upgrade keep its package; an upgrade over settings keeps them', async t => {
  const lab = stuck()
  lab.seen = () => ({})
  const walk = lab.accept(roles({ settings: { colour: 'blue' } }))
  t.equal(lab.operation(walk).kind, 'configure')
  lab.accept(to(V3))
  lab.settle()
  t.equal(lab.versions(), '3.0.0 3.0.0 3.0.0 1.0.0')
  t.equal(lab.deployment().configuration.roles['web']?.settings?.['colour'], 'blue')
})

t.test('a fresh monitored upgrade mends a version that runs everywhere and works nowhere', async t => {
  const lab = deployed()
  lab.seen = ({ spec }) => (spec.version === '2.0.0' && spec.endpoints.length > 0 ? { state: 'cycling' } : {})
  lab.accept(to(V2, 'unmonitored-auto'))
  lab.settle()
  t.equal(lab.deployment().upgrade, null)
  const mended = lab.accept(to(V3, 'monitored'))
  for (let domain = 0; domain < 3; domain++) {
    lab.settle()
    lab.pass(10_000)
  }
  t.equal(lab.operation(mended).status, 'Succeeded')
  t.equal(lab.versions(), '3.0.0 3.0.0 3.0.0 1.0.0')
})

t.test('a deploy whose instances never start is mended by an upgrade', async t => {
  const lab = new Lab([V1, V2])
  lab.seen = ({ spec }) => (spec.version === '1.0.0' ? { state: 'starting' } : {})
  const create = lab.accept({ kind: 'create', ...at, package: V1.digest, replace: false })
  lab.settle()
  lab.accept(to(of('2.0.0'), 'monitored', { restartUnchanged: true }))
  t.match(lab.operation(create), { status: 'Cancelled', error: { code: 'superseded' } })
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0 2.0.0')
})

t.test('a package that cannot be used, over a running upgrade: failed, and back to what ran as a whole', async t => {
  const lab = stuck()
  lab.packageErrors[V3.digest] = 'is damaged'
  const second = lab.accept(to(V3))
  lab.settle()
  t.equal(lab.operation(second).error?.code, 'invalid_package')
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0 1.0.0')
  t.match(Object.values(lab.state.operations).at(-1), { kind: 'rollback', status: 'Succeeded' })
})

t.test('a rollback that cannot start an old instance stops there; an upgrade or another rollback mends it', async t => {
  for (const mend of [to(V2, 'auto', { restartUnchanged: true }), to(V3), rollback]) {
    const lab = deployed()
    lab.accept(to(V2, 'unmonitored-manual'))
    lab.settle()
    lab.accept({ kind: 'walk', ...at })
    lab.settle()
    lab.seen = ({ spec, incarnation }) => (spec.version === '1.0.0' && incarnation > 1 ? { state: 'cycling' } : {})
    const back = lab.accept(rollback)
    lab.settle()
    t.match(lab.operation(back), {
      status: 'Failed',
      error: { code: 'start_failed', message: /vipswap upgrade.*2\.0\.0/ },
    })
    t.equal(lab.stages(), 'web0:serving web1:starting web2:serving crunch0:serving')
    t.equal(lab.versions(), '2.0.0 1.0.0 1.0.0 1.0.0', 'what serves on the new version was not taken down')
    lab.restart()
    lab.connectProxy('p1')
    lab.seen = () => ({})
    const mended = lab.accept(mend)
    lab.settle()
    t.equal(lab.operation(mended).status, 'Succeeded')
    t.equal(lab.deployment().upgrade, null)
    t.equal(new Set(lab.versions().split(' ').slice(0, 3)).size, 1)
  }
})

// "… the rollback is not possible … the update increased the local resources".
t.test('no rollback, asked for or not, where the upgrade increased local storage', async t => {
  for (const release of [SMALL, LARGE]) {
    const lab = deployed(release === SMALL ? V1 : SMALL)
    lab.seen = ({ spec, incarnation }) =>
      spec.version === release.definition.version && incarnation > 1 ? { state: 'cycling' } : {}
    const operation = lab.accept(to(release, 'monitored'))
    lab.settle()
    t.strictSame(lab.refused(rollback), ['rollback_not_allowed'])
    lab.pass(60_000)
    lab.settle()
    t.match(lab.operation(operation), {
      status: 'Failed',
      error: { code: 'health_check_failed', message: /not rolled back: local storage/ },
    })
    t.equal(lab.deployment().upgrade?.direction, 'forward')
    t.equal(lab.deployment().upgrade?.mode, 'unmonitored-manual')
  }
})

t.test('a scale is rolled back while it has not ended: in the order out, in and both', async t => {
  for (const instances of [5, 1]) {
    const lab = deployed()
    lab.seen = ({ index }) => (index > 2 ? { state: 'starting' } : {})
    const scale = lab.accept(roles({ instances }))
    const back = lab.accept(rollback)
    t.equal(lab.operation(scale).status, 'RolledBack')
    lab.settle()
    t.equal(lab.operation(back).status, 'Succeeded')
    t.equal(lab.instances().length, 4)
    t.equal(lab.deployment().configuration.roles['web']?.instances, 3)
    t.equal(incarnations(lab), '1 1 1 1', 'what drained was kept as the process it is')
    t.strictSame(lab.refused(rollback), ['rollback_not_allowed'])
  }
})

t.test('instances that had gone come back, unless others have taken the cores', async t => {
  for (const cores of [4, 3]) {
    const lab = deployed()
    Object.assign(lab.settings, { quota: { cores }, sizes: {} })
    lab.restart()
    lab.connectProxy('p1')
    lab.settle()
    lab.accept(roles({ instances: 1 }))
    lab.acknowledge()
    lab.acknowledge()
    lab.acknowledge(['p1'])
    lab.report(['n1'])
    if (cores === 3) {
      t.strictSame(lab.refused(rollback), ['rollback_not_allowed'])
      continue
    }
    lab.accept(rollback)
    lab.settle()
    t.equal(lab.stages(), 'web0:serving web1:serving web2:serving crunch0:serving')
  }
})

t.test('the highest indices leave first, drained; another scale takes the place of the first', async t => {
  const lab = deployed()
  lab.inFlight = { 'd1/web_IN_2#1.1': 1 }
  const first = lab.accept(roles({ instances: 2 }))
  lab.acknowledge()
  t.match(lab.stages(), /web0:serving web1:serving web2:draining/)
  const second = lab.accept(roles({ instances: 4 }))
  t.match(lab.operation(first), { status: 'Cancelled', error: { code: 'superseded' } })
  t.strictSame(lab.operation(second).from, { web: '3' })
  lab.settle()
  t.equal(lab.stages(), 'web0:serving web1:serving web2:serving web3:serving crunch0:serving')
  t.equal(lab.instance('web_IN_2').incarnation, 1)
})

t.test('a scale beside an upgrade belongs to both ends of it', async t => {
  const lab = stuck()
  const scale = lab.accept(roles({ instances: 5 }))
  lab.seen = ({ spec, index }) => (spec.version === '2.0.0' && index === 1 ? { state: 'starting' } : {})
  lab.settle()
  t.equal(lab.operation(scale).status, 'Succeeded')
  lab.accept(rollback)
  lab.settle()
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0 1.0.0 1.0.0 1.0.0')
  t.equal(lab.deployment().configuration.roles['web']?.instances, 5)
})

t.test('an upgrade that is suspended half-way goes on after the start', async t => {
  const lab = stuck()
  lab.accept({ kind: 'status', ...at, status: 'Suspended' })
  lab.settle()
  t.equal(lab.stages(), 'web0:stopped web1:stopped web2:stopped crunch0:stopped')
  lab.seen = () => ({})
  lab.accept({ kind: 'status', ...at, status: 'Running' })
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0 1.0.0')
  t.equal(lab.deployment().upgrade, null)
})

t.test('deleting production while staging stands leaves staging, which a swap then moves to production', async t => {
  const lab = deployed()
  lab.accept({ kind: 'create', service: 'shop', slot: 'staging', package: V2.digest, replace: false })
  lab.settle()
  lab.accept({ kind: 'delete', ...at })
  lab.settle()
  t.strictSame(lab.state.services['shop']?.slots, { production: null, staging: 'd2' })
  t.match(lab.listener('shop/production/web/http'), { pool: null, port: 8080 })
  lab.accept({ kind: 'swap', service: 'shop' })
  lab.settle()
  t.strictSame(lab.state.services['shop']?.slots, { production: 'd2', staging: null })
})

t.test('whether it is locked, and whether a rollback is allowed, is shown before anyone asks', async t => {
  const view = (lab: Lab) => viewDeployment(lab.state, lab.deployment(), 'production', lab.now)
  const lab = deployed()
  t.match(view(lab), { locked: false, rollbackAllowed: false, rollbackBlockedBy: /no upgrade is in progress/ })
  lab.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'cycling' } : {})
  lab.accept(to(V2))
  lab.settle()
  t.match(view(lab), { locked: false, rollbackAllowed: true, actions: { upgrade: { allowed: true } } })
  t.match(view(lab).actions, { rollback: { allowed: true }, scale: { allowed: true }, swap: { allowed: false } })
  lab.accept({ kind: 'delete', ...at })
  t.match(view(lab), { locked: true, rollbackAllowed: false, actions: { upgrade: { allowed: false } } })
})
