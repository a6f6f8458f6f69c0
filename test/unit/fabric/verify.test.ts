import t from 'tap'
import type { Command } from '../../../src/contracts/command.ts'
import { viewOperation } from '../../../src/controller/views/operation-view.ts'
import { emptyRow } from '../../../src/model/ledger-row.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'
import { create, names, NO, say, swap, tasks } from './task-lab.ts'
import { upgradeTo } from './upgrade-lab.ts'

const probe = {
  kind: 'http',
  endpoint: 'http',
  path: '/healthz',
  intervalMs: 1,
  timeoutMs: 1,
  healthy: 1,
  unhealthy: 1,
} as const
const web = role('web', { instances: 3, probe })
const V1 = makeRelease('shop', '1.0.0', [web], { upgradeDomainCount: 3 })
const V2 = makeRelease('shop', '2.0.0', [web], { upgradeDomainCount: 3 })

function both(): Lab {
  const lab = new Lab([V1, V2])
  lab.accept(create(V1, 'production'))
  lab.settle()
  lab.accept(create(V2, 'staging'))
  lab.settle()
  return lab
}

function verified(): Command {
  const command = upgradeTo('auto', {}, V2.digest)
  return command.kind === 'upgrade' ? { ...command, verify: true } : command
}

const slots = (lab: Lab): string => Object.values(lab.state.services['shop']?.slots ?? {}).join(' ')

/** The proxies have counted this many requests to production, and what became of them. */
function count(lab: Lab, arrived: number, over: object = {}): void {
  lab.rows = [{ ...emptyRow('shop/production/web/http', 'd2', '2.0.0'), arrived, ...over }]
  lab.acknowledge()
}

function reach(lab: Lab, phase: string, sent: number): void {
  say(lab, 'verify', { kind: 'reached', phase, sent })
  count(lab, sent, { answered: sent })
}

t.test('probe traffic flows before, through and after the exchange, then the swap is done', async t => {
  const lab = both()
  const operation = lab.accept({ ...swap, verify: true })
  t.strictSame(names(lab), ['verify before'])
  t.equal(slots(lab), 'd1 d2')
  t.match(tasks(lab)[0]?.work, {
    targets: [{ origin: 'http://127.0.0.1:8080', host: 'shop.localhost', atLeast: 50, probes: [{ path: '/healthz' }] }],
  })
  const id = tasks(lab)[0]?.id
  reach(lab, 'before', 50)
  t.equal(slots(lab), 'd2 d1')
  lab.settle()
  t.equal(lab.operation(operation).step, 'verifying')
  t.strictSame(names(lab), ['verify after'])
  t.equal(tasks(lab)[0]?.id, id, 'it is the same traffic that goes on')
  t.match(tasks(lab)[0]?.work, { targets: [{ atLeast: 1950 }] }, 'enough for each of three instances')
  // Its word on an earlier phase says nothing of this one.
  say(lab, 'verify', { kind: 'reached', phase: 'before', sent: 60 })
  t.equal(lab.operation(operation).status, 'InProgress')
  say(lab, 'verify', { kind: 'reached', phase: 'after', sent: 2100 })
  t.equal(lab.operation(operation).status, 'InProgress', 'the proxies have not told of all of them yet')
  count(lab, 2100, { answered: 2100 })
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.strictSame(lab.operation(operation).remarks, ['probe traffic: 2100 requests, none lost'])
  t.strictSame(lab.state.tasks, {})
})

const LOSSES: { name: string; lose: (lab: Lab) => void }[] = [
  { name: 'the traffic lost a request', lose: lab => say(lab, 'verify', NO) },
  { name: 'an instance broke a request', lose: lab => count(lab, 90, { broken: { 'upstream-closed': 1 } }) },
  { name: 'a request had to be sent again', lose: lab => count(lab, 90, { replayed: 1 }) },
]

for (const { name, lose } of LOSSES) {
  t.test(`${name}: the slots are exchanged back`, async t => {
    const lab = both()
    const operation = lab.accept({ ...swap, verify: true })
    reach(lab, 'before', 50)
    lab.settle()
    lose(lab)
    t.equal(slots(lab), 'd1 d2')
    lab.settle()
    t.match(lab.operation(operation), { status: 'RolledBack', error: { code: 'verify_failed' } })
    t.strictSame(lab.state.tasks, {})
  })

  t.test(`${name}, before the exchange: nothing was changed`, async t => {
    const lab = both()
    const operation = lab.accept({ ...swap, verify: true })
    lose(lab)
    lab.settle()
    t.equal(slots(lab), 'd1 d2')
    t.match(lab.operation(operation), { status: 'Failed', error: { code: 'verify_failed', message: /^before/ } })
  })
}

t.test('a loss that a caller may have made itself is none', async t => {
  const lab = both()
  const operation = lab.accept({ ...swap, verify: true })
  reach(lab, 'before', 50)
  lab.settle()
  count(lab, 90, { clientGone: 1, broken: { timeout: 1, 'drain-deadline': 1 } })
  t.equal(lab.operation(operation).step, 'verifying')
})

t.test('a controller that takes over counts anew, and goes on', async t => {
  const lab = both()
  const operation = lab.accept({ ...swap, verify: true })
  reach(lab, 'before', 50)
  lab.settle()
  say(lab, 'verify', { kind: 'reached', phase: 'after', sent: 2100 })
  lab.restart()
  lab.settle()
  t.equal(lab.operation(operation).step, 'verifying', 'the word of the last runner was about its own count')
  say(lab, 'verify', { kind: 'reached', phase: 'after', sent: 2000 })
  count(lab, 4100, { answered: 4100 })
  t.equal(lab.operation(operation).status, 'Succeeded')
})

t.test('an upgrade verifies each domain, and rolls back on a loss in any mode', async t => {
  for (const lose of [false, true]) {
    const lab = new Lab([V1, V2])
    lab.accept(create(V1, 'production'))
    lab.settle()
    const operation = lab.accept(verified())
    lab.settle()
    t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0')
    reach(lab, 'before', 50)
    lab.settle()
    t.equal(lab.versions(), '2.0.0 1.0.0 1.0.0')
    t.strictSame(names(lab), ['verify domain 0'])
    if (lose) {
      say(lab, 'verify', NO)
      lab.settle()
      t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0')
      t.match(lab.operation(operation), {
        status: 'RolledBack',
        error: { code: 'verify_failed', message: /not today/ },
      })
      continue
    }
    for (const [index, sent] of [2000, 4000, 6000].entries()) {
      reach(lab, `domain ${index}`, sent)
      lab.settle()
    }
    t.equal(lab.operation(operation).status, 'Succeeded')
  }
})

t.test('a loss after the last domain of an upgrade that may not be undone says that it completes', async t => {
  const crunch = role('crunch', { kind: 'worker', endpoints: [], instances: 1 })
  const grown = { ...web, localStorage: [{ name: 'cache', sizeBytes: 1, cleanOnRecycle: false }] }
  const made = [
    makeRelease('shop', '1.0.0', [web, crunch], { upgradeDomainCount: 3 }),
    makeRelease('shop', '2.0.0', [grown], { upgradeDomainCount: 3 }),
  ] as const
  const lab = new Lab(made)
  lab.accept(create(made[0], 'production'))
  lab.settle()
  const command = upgradeTo('auto', {}, made[1].digest)
  const operation = lab.accept({ ...command, verify: true, force: true } as Command) // an upgrade
  lab.settle()
  reach(lab, 'before', 50)
  for (const [index, sent] of [2000, 4000].entries()) {
    lab.settle()
    reach(lab, `domain ${index}`, sent)
  }
  lab.settle()
  lab.inFlight = { 'd1/crunch_IN_0#1.1': 1 }
  reach(lab, 'domain 2', 6000)
  t.equal(lab.deployment().upgrade?.phase, 'removing')
  count(lab, 6090, { broken: { 'upstream-closed': 1 } })
  lab.inFlight = {}
  const { status, error } = lab.operation(operation)
  t.equal(status, 'Failed')
  t.match(error?.message, /not rolled back: .* every domain is done, and it completes all the same$/)
  lab.settle()
  t.equal(lab.deployment().upgrade, null)
  t.equal(lab.deployment().version, '2.0.0')
})

t.test('what a suspended deployment does not answer is no loss: the traffic begins anew after the start', async t => {
  const lab = new Lab([V1, V2])
  lab.accept(create(V1, 'production'))
  lab.settle()
  const operation = lab.accept(verified())
  lab.settle()
  reach(lab, 'before', 50)
  lab.settle()
  const status = { kind: 'status', service: 'shop', slot: 'production' } as const
  lab.accept({ ...status, status: 'Suspended' })
  t.strictSame(names(lab), [])
  lab.settle()
  lab.accept({ ...status, status: 'Running' })
  lab.settle()
  for (const [index, sent] of [2000, 4000, 6000].entries()) {
    t.strictSame(names(lab), [`verify domain ${index}`])
    say(lab, 'verify', { kind: 'reached', phase: `domain ${index}`, sent })
    // On top of those before the suspension.
    count(lab, 50 + sent, { answered: 50 + sent })
    lab.settle()
  }
  t.equal(lab.operation(operation).status, 'Succeeded')
})

t.test('while its addresses are paused no probe traffic is sent: it goes on where it was', async t => {
  for (const slot of ['production', 'staging'] as const) {
    const lab = both()
    const operation = lab.accept({ ...swap, verify: true })
    reach(lab, 'before', 50)
    lab.settle()
    lab.accept({ kind: 'pause', service: 'shop', slot, timeoutMs: 60_000 })
    const held = slot === 'production'
    t.strictSame(names(lab), held ? [] : ['verify after'])
    lab.acknowledge()
    t.equal(
      viewOperation(lab.state, lab.operation(operation)).progress.message,
      `probe traffic (after)${held ? ', none of it before the pause is over (`vipswap resume`)' : ''}`,
    )
    if (held) lab.accept({ kind: 'resume', service: 'shop', slot })
    lab.acknowledge()
    reach(lab, 'after', 2100)
    t.equal(lab.operation(operation).status, 'Succeeded', slot)
  }
})

t.test('a pause whose time is over lets the probe traffic go on', async t => {
  const lab = both()
  lab.accept({ ...swap, verify: true })
  lab.accept({ kind: 'pause', service: 'shop', slot: 'production', timeoutMs: 60_000 })
  lab.acknowledge()
  t.strictSame(names(lab), [])
  lab.pass(60_001)
  t.strictSame(names(lab), ['verify before'])
})

t.test('an upgrade over what loses requests already says so, and restarts nothing', async t => {
  const lab = new Lab([V1, V2])
  lab.accept(create(V1, 'production'))
  lab.settle()
  const operation = lab.accept(verified())
  lab.settle()
  say(lab, 'verify', NO)
  lab.settle()
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0')
  t.ok(lab.instances().every(({ incarnation }) => incarnation === 1))
  t.match(lab.operation(operation), {
    status: 'RolledBack',
    error: { message: /before anything was changed: .*not today/ },
  })
})

t.test('where there is nothing to send, verify is refused', async t => {
  const bare = makeRelease('shop', '1.0.0')
  const lab = new Lab([bare, makeRelease('shop', '2.0.0')])
  lab.accept(create(bare, 'production'))
  lab.settle()
  const refusal = lab.refusal(verified())
  t.equal(refusal.code, 'change_not_allowed')
  t.match(refusal.message, /probe/)
})
