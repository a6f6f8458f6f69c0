import t from 'tap'
import { planOf } from '../../../src/controller/plan.ts'
import { rehearse } from '../../../src/fabric/apply.ts'
import type { Command } from '../../../src/contracts/command.ts'
import type { Certificate } from '../../../src/model/certificate.ts'
import type { Release } from '../../../src/model/release.ts'
import { certificate, endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'
import { create, names, NO, say, settingsOf, swap, YES } from './task-lab.ts'

const web = role('web', {
  instances: 2,
  settings: { colour: 'red', store: 'none' },
  slotSettings: { store: { production: 'shop-db', staging: 'test-db' } },
})
const V1 = makeRelease('shop', '1.0.0', [web], { upgradeDomainCount: 2 })
const V2 = makeRelease('shop', '2.0.0', [web], { upgradeDomainCount: 2 })
const WARM = makeRelease(
  'shop',
  '3.0.0',
  [{ ...web, warmUp: [{ endpoint: 'http', path: '/warm', accept: [[200, 399]], timeoutMs: 90_000 }] }],
  { upgradeDomainCount: 2 },
)

function both(staging = V2): Lab {
  const lab = new Lab([V1, V2, WARM])
  lab.accept(create(V1, 'production'))
  lab.settle()
  lab.accept(create(staging, 'staging'))
  lab.settle()
  return lab
}

const stores = (lab: Lab, slot: 'production' | 'staging'): string =>
  settingsOf(lab, slot)
    .map(text => (JSON.parse(text) as { store: string }).store)
    .join(' ')

const slots = (lab: Lab): string => Object.values(lab.state.services['shop']?.slots ?? {}).join(' ')

const stepsOf = (lab: Lab, command: Command): readonly string[] =>
  planOf(lab.state, command, rehearse(lab.state, command, lab.now), lab.now).steps

t.test('a deployment has the values of the slot it is deployed to', async t => {
  const lab = both()
  t.equal(stores(lab, 'production'), 'shop-db shop-db')
  t.equal(stores(lab, 'staging'), 'test-db test-db')
})

// App Service, "Set up staging environments": "Apply the following settings from the target slot … to all instances of the
// source slot … Any of these cases trigger all instances in the source slot to restart"; then the swap; then the other side.
t.test('prepare gives the candidate production values before traffic, commit is the pointer alone', async t => {
  const lab = both()
  const prepare = lab.accept({ ...swap, phase: 'prepare' })
  t.equal(slots(lab), 'd1 d2')
  // One domain down at a time, in staging only.
  let most = 0
  for (let turn = 0; turn < 40 && lab.operation(prepare).status === 'InProgress'; turn++) {
    most = Math.max(most, lab.instances('staging').filter(({ stage }) => stage !== 'serving').length)
    t.equal(lab.stages('production'), 'web0:serving web1:serving')
    lab.acknowledge()
    lab.report()
  }
  t.equal(most, 1)
  t.equal(lab.operation(prepare).status, 'Succeeded')
  t.equal(slots(lab), 'd1 d2', 'nothing is exchanged yet')
  t.equal(stores(lab, 'staging'), 'shop-db shop-db')
  t.equal(stores(lab, 'production'), 'shop-db shop-db')

  const before = lab.state
  const commit = lab.accept({ ...swap, phase: 'commit' })
  t.equal(lab.state.roles, before.roles, 'no instance is touched by the commit')
  t.equal(slots(lab), 'd2 d1')
  lab.acknowledge()
  t.equal(lab.operation(commit).status, 'Succeeded')
  lab.settle()
  t.equal(stores(lab, 'production'), 'shop-db shop-db')
  t.equal(stores(lab, 'staging'), 'test-db test-db', 'the other side has taken staging values')
  t.equal(lab.versions('staging'), '1.0.0 1.0.0')
})

t.test('a plain swap does the whole', async t => {
  const lab = both()
  const operation = lab.accept(swap)
  t.equal(slots(lab), 'd1 d2')
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.equal(slots(lab), 'd2 d1')
  t.equal(stores(lab, 'production'), 'shop-db shop-db')
  t.equal(stores(lab, 'staging'), 'test-db test-db')
})

t.test('what a configuration gave in a slot stays there, over what definitions say', async t => {
  const lab = both()
  const at = { kind: 'configure', service: 'shop', slot: 'production' } as const
  lab.accept({ ...at, configuration: { roles: { web: { settings: { store: 'eu-db', colour: 'blue' } } } } })
  lab.settle()
  t.equal(stores(lab, 'production'), 'eu-db eu-db')
  lab.accept(swap)
  lab.settle()
  t.equal(slots(lab), 'd2 d1')
  t.strictSame(settingsOf(lab, 'production'), Array(2).fill('{"colour":"red","store":"eu-db"}'), 'only what is bound')
  t.strictSame(settingsOf(lab, 'staging'), Array(2).fill('{"colour":"blue","store":"test-db"}'))
  lab.accept(swap)
  lab.settle()
  t.strictSame(settingsOf(lab, 'production'), Array(2).fill('{"colour":"blue","store":"eu-db"}'))
  t.strictSame(settingsOf(lab, 'staging'), Array(2).fill('{"colour":"red","store":"test-db"}'))
})

t.test(
  'one configuration may hold the values of both slots; they go before the definition and are taken by slot',
  async t => {
    const lab = both()
    const store = { production: 'eu-db', staging: 'eu-test' }
    for (const slot of ['production', 'staging'] as const) {
      const at = { kind: 'configure', service: 'shop', slot } as const
      lab.accept({ ...at, configuration: { roles: { web: { slotSettings: { store } } } } })
      lab.settle()
    }
    t.equal(`${stores(lab, 'production')} ${stores(lab, 'staging')}`, 'eu-db eu-db eu-test eu-test')
    lab.accept(swap)
    lab.settle()
    t.equal(slots(lab), 'd2 d1')
    t.equal(`${stores(lab, 'production')} ${stores(lab, 'staging')}`, 'eu-db eu-db eu-test eu-test')
    const at = { kind: 'configure', service: 'shop', slot: 'production' } as const
    const colour = { colour: { production: 'x' } }
    t.strictSame(lab.refused({ ...at, configuration: { roles: { web: { slotSettings: colour } } } }), [
      'invalid_configuration',
    ])
  },
)

t.test('cancel puts all back, before and after prepare has ended', async t => {
  for (const wait of [false, true]) {
    const lab = both()
    const prepare = lab.accept({ ...swap, phase: 'prepare' })
    lab.acknowledge()
    if (wait) lab.settle()
    const cancel = lab.accept({ ...swap, phase: 'cancel' })
    lab.settle()
    t.equal(lab.operation(prepare).status, wait ? 'Succeeded' : 'Cancelled')
    t.equal(lab.operation(cancel).status, 'Succeeded')
    t.equal(stores(lab, 'staging'), 'test-db test-db')
    t.equal(slots(lab), 'd1 d2')
    t.equal(lab.state.services['shop']?.prepared, null)
    t.strictSame(lab.refused({ ...swap, phase: 'commit' }), ['nothing_to_do'])
  }
})

// Cloud Services, "swap": with only staging occupied its deployment moves to production; what came there meanwhile would
// be moved to staging with it, unseen by the preflight.
t.test('while a swap runs nothing is deployed into the slot that is empty', async t => {
  const lab = new Lab([V1, V2])
  lab.accept(create(V2, 'staging'))
  lab.settle()
  for (const phase of [undefined, 'prepare'] as const) {
    const operation = lab.accept({ ...swap, ...(phase === undefined ? {} : { phase }) })
    t.match(lab.operation(operation), { status: 'InProgress', step: 'settings' })
    const running = lab.refusal(create(V1, 'production'))
    t.match(running, { code: 'operation_in_progress', message: /swap op-\d+ is in progress on shop/ })
    if (phase === 'prepare') {
      lab.settle()
      t.match(lab.refusal(create(V1, 'production')), { code: 'operation_in_progress', message: /prepared/ })
    }
    lab.accept({ ...swap, phase: 'cancel' })
    lab.settle()
  }
  lab.accept(create(V1, 'production'))
  lab.settle()
  t.equal(slots(lab), 'd2 d1')
})

t.test('the walk of a swap is not rolled back or changed by itself', async t => {
  const lab = both()
  const at = { service: 'shop', slot: 'staging' } as const
  for (const phase of ['prepare', 'cancel'] as const) {
    const operation = lab.accept({ ...swap, phase })
    t.match(lab.operation(operation), { status: 'InProgress', step: 'settings' })
    const part =
      phase === 'prepare' ? /part of swap op-\d+: `vipswap swap cancel`/ : /part of swap op-\d+: it ends by itself/
    t.match(lab.refusal({ kind: 'rollback', ...at }), { code: 'rollback_not_allowed', message: part })
    t.match(lab.refusal({ kind: 'changeUpgrade', ...at, mode: 'manual' }), {
      code: 'change_not_allowed',
      message: part,
    })
    lab.settle()
    t.equal(lab.operation(operation).status, 'Succeeded')
  }
  t.equal(stores(lab, 'staging'), 'test-db test-db')
})

t.test('a certificate that is renewed while a swap is prepared stays, also when all is put back', async t => {
  const tls = role('web', {
    settings: { store: 'none' },
    slotSettings: { store: { production: 'live', staging: 'test' } },
    endpoints: [endpoint('https', 443, { protocol: 'https', certificates: ['site'] })],
    certificates: { site: null },
  })
  const release = makeRelease('shop', '1.0.0', [tls])
  const lab = new Lab([release])
  const [old, fresh] = [certificate('old', ['shop.localhost']), certificate('fresh', ['shop.localhost'])]
  const given = ({ id }: Certificate) => ({ roles: { web: { certificates: { site: { id } } } } })
  for (const slot of ['production', 'staging'] as const) {
    const create = { kind: 'create', service: 'shop', slot, package: release.digest, replace: false } as const
    lab.accept({ ...create, configuration: given(old) }, null, [old])
    lab.settle()
  }
  lab.accept({ ...swap, phase: 'prepare' })
  lab.accept({ kind: 'configure', service: 'shop', slot: 'staging', configuration: given(fresh) }, null, [fresh])
  lab.settle()
  lab.accept({ ...swap, phase: 'cancel' })
  lab.settle()
  t.equal(stores(lab, 'staging'), 'test test')
  t.equal(lab.deployment('staging').configuration.roles['web']?.certificates?.['site']?.id, fresh.id)
  t.same(Object.keys(lab.state.certificates).toSorted(), [old.id, fresh.id].toSorted())
})

t.test('a candidate that does not start with production values fails the swap and gets its own back', async t => {
  const lab = both()
  const operation = lab.accept(swap)
  lab.seen = instance =>
    instance.deployment === 'd2' && instance.spec.settings['store'] === 'shop-db'
      ? { state: 'failed', detail: 'no such store' }
      : {}
  lab.settle()
  t.match(lab.operation(operation), { status: 'Failed', error: { code: 'start_failed' } })
  t.equal(slots(lab), 'd1 d2')
  t.equal(stores(lab, 'staging'), 'test-db test-db')
  t.equal(lab.stages('staging'), 'web0:serving web1:serving')
})

t.test('values that cannot be given back for lack of room leave no trace but a warning', async t => {
  const big = { ...web, size: 'small', order: 'start-first' } as const
  const [one, two] = ['1.0.0', '2.0.0'].map(version =>
    makeRelease('shop', version, [big], { upgradeDomainCount: 2 }),
  ) as [Release, Release]
  const other = makeRelease('blog', '1.0.0', [role('web', { instances: 1, size: 'small' })])
  const lab = new Lab([one, two, other], [])
  lab.settings.sizes = { small: { cores: 1, memoryBytes: 1 } }
  lab.input({ kind: 'restored', settings: lab.settings })
  lab.connectAgent('n1', { cores: 5 })
  lab.connectProxy('p1')
  lab.accept(create(one, 'production'))
  lab.settle()
  lab.accept(create(two, 'staging'))
  lab.settle()
  const before = lab.deployment('production')
  const operation = lab.accept(swap)
  // Once the candidate has its values, and before the outgoing one is to get its own, another service takes the room.
  while (lab.deployment('staging').upgrade !== null) {
    lab.acknowledge()
    lab.report()
  }
  lab.accept({ kind: 'create', service: 'blog', slot: 'production', package: other.digest, replace: false })
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.match(
    lab.events.findLast(({ kind }) => kind === 'warning')?.message,
    /d1 keeps production's settings: .*n1 has 5 cores/,
  )
  t.strictSame(lab.deployment('staging'), before, 'it runs as it did')
  t.equal(stores(lab, 'staging'), 'shop-db shop-db')
  const [outgoing] = Object.values(lab.state.roles).filter(({ deployment }) => deployment === 'd1')
  t.equal(outgoing?.instances[0]?.spec, outgoing?.target)
})

t.test('whenever the controller dies, the next one brings a swap to its end', async t => {
  const counting = both()
  const commitsBefore = counting.state.fabric.revision.n
  counting.accept(swap)
  counting.settle()
  const commits = counting.state.fabric.revision.n - commitsBefore
  t.ok(commits > 5)
  for (let at = 1; at <= commits; at++) {
    const lab = both()
    const start = lab.state.fabric.revision.n
    const operation = lab.accept(swap)
    for (let turn = 0; turn < 200 && lab.state.fabric.revision.n < start + at; turn++) {
      lab.acknowledge()
      lab.report()
    }
    lab.restart()
    lab.settle()
    t.equal(lab.operation(operation).status, 'Succeeded', `killed after ${at} commits`)
    t.equal(slots(lab), 'd2 d1')
    t.equal(`${stores(lab, 'production')} ${stores(lab, 'staging')}`, 'shop-db shop-db test-db test-db')
  }
})

t.test('each instance answers its warm-up before the exchange, as the process it is', async t => {
  const lab = both(WARM)
  const operation = lab.accept({ ...swap, phase: 'prepare' })
  lab.settle()
  t.strictSame(names(lab), ['warm web_IN_0', 'warm web_IN_1'])
  say(lab, 'warm web_IN_0', YES)
  // One that is another process by now is warmed as that.
  const old = lab.seen
  lab.seen = instance => (instance.instance === 'web_IN_0' && instance.deployment === 'd2' ? { attempt: 2 } : {})
  lab.settle()
  t.strictSame(names(lab), ['warm web_IN_1', 'warm web_IN_0'])
  lab.seen = old
  say(lab, 'warm web_IN_1', YES)
  t.equal(lab.operation(operation).status, 'InProgress')
  say(lab, 'warm web_IN_0', YES)
  lab.settle()
  while (names(lab).length > 0) {
    say(lab, 'warm', YES)
    lab.settle()
  }
  t.equal(lab.operation(operation).status, 'Succeeded')
})

t.test('commit warms what is another process since prepare, and nothing else', async t => {
  const prepared = (): Lab => {
    const lab = both(WARM)
    lab.accept({ ...swap, phase: 'prepare' })
    lab.settle()
    while (names(lab).length > 0) {
      say(lab, 'warm', YES)
      lab.settle()
    }
    return lab
  }
  const commit = { ...swap, phase: 'commit' } as const

  await t.test('none: the slots are exchanged in the change that accepts it', async t => {
    const lab = prepared()
    lab.accept(commit)
    t.equal(slots(lab), 'd2 d1')
  })
  await t.test('one: first it answers', async t => {
    const lab = prepared()
    lab.seen = instance => (instance.instance === 'web_IN_0' && instance.deployment === 'd2' ? { attempt: 2 } : {})
    lab.settle()
    const operation = lab.accept(commit)
    t.strictSame(names(lab), ['warm web_IN_0'])
    t.equal(slots(lab), 'd1 d2')
    say(lab, 'warm web_IN_0', YES)
    t.equal(slots(lab), 'd2 d1')
    lab.settle()
    t.equal(lab.operation(operation).status, 'Succeeded')
  })
  await t.test('one that does not answer: it stays prepared, and may be committed again', async t => {
    const lab = prepared()
    lab.seen = instance => (instance.instance === 'web_IN_0' && instance.deployment === 'd2' ? { attempt: 2 } : {})
    lab.settle()
    const operation = lab.accept(commit)
    say(lab, 'warm web_IN_0', NO)
    t.match(lab.operation(operation), { status: 'Failed', error: { code: 'warm_up_failed' } })
    t.equal(slots(lab), 'd1 d2')
    t.ok(lab.state.services['shop']?.prepared)
    lab.accept(commit)
    say(lab, 'warm web_IN_0', YES)
    t.equal(slots(lab), 'd2 d1')
  })
})

t.test('an instance that does not answer its warm-up fails the swap, and all is put back', async t => {
  const lab = both(WARM)
  const operation = lab.accept(swap)
  lab.settle()
  say(lab, 'warm web_IN_1', NO)
  lab.settle()
  t.match(lab.operation(operation), { status: 'Failed', error: { code: 'warm_up_failed', message: /web_IN_1/ } })
  t.equal(slots(lab), 'd1 d2')
  t.equal(stores(lab, 'staging'), 'test-db test-db')
})

t.test('prepare without slot settings warms and checks all the same', async t => {
  const plain = makeRelease('shop', '1.0.0', [role('web')])
  const warm = makeRelease('shop', '3.0.0', [
    role('web', { warmUp: [{ endpoint: 'http', path: '/', accept: [[200, 200]], timeoutMs: 1000 }] }),
  ])
  const lab = new Lab([plain, warm])
  lab.accept(create(plain, 'production'))
  lab.settle()
  lab.accept(create(warm, 'staging'))
  lab.settle()
  const restarts = lab.instances('staging').map(({ incarnation }) => incarnation)
  const operation = lab.accept({ ...swap, phase: 'prepare' })
  t.strictSame(names(lab), ['warm web_IN_0', 'warm web_IN_1'])
  for (const id of ['web_IN_0', 'web_IN_1']) say(lab, `warm ${id}`, YES)
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.strictSame(
    lab.instances('staging').map(({ incarnation }) => incarnation),
    restarts,
    'and restarts nothing',
  )
})

t.test('the plan says what restarts, and that swapping back needs a preparation of its own', async t => {
  const lab = both(WARM)
  t.strictSame(stepsOf(lab, swap), [
    "d2 takes production's settings, domain by domain, before it gets traffic: web.store",
    'every ready instance of d2 answers its warmUp requests',
    'production will serve d2 (3.0.0)',
    'staging will serve d1 (1.0.0)',
    'addresses and connections stay',
    "d1 takes staging's settings afterwards, off traffic, domain by domain",
    'swapping back then needs a preparation of its own (`vipswap swap prepare`, or a plain `vipswap swap` that takes as long)',
  ])
})
