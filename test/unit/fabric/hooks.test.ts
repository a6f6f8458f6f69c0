import t from 'tap'
import { Lab } from './lab.ts'
import { create, hook, names, NO, say, swap, tasks, YES } from './task-lab.ts'
import { AT, deployed, running, upgradeTo, V1, V2 } from './upgrade-lab.ts'

function both(): Lab {
  const lab = new Lab([V1, V2])
  lab.accept(create(V1, 'production'))
  lab.settle()
  lab.accept(create(V2, 'staging'))
  lab.settle()
  return lab
}

const slots = (lab: Lab): string => {
  const { production, staging } = lab.state.services['shop']?.slots ?? {}
  return `${production} ${staging}`
}

// docs/swap.md, "Hooks": "pre-swap … its failure leaves the slots as they are".
t.test('pre-swap is asked before the exchange', async t => {
  const lab = both()
  hook(lab, 'pre-swap')
  const operation = lab.accept(swap)
  lab.settle()
  t.strictSame(names(lab), ['pre-swap'])
  t.equal(slots(lab), 'd1 d2', 'nothing is exchanged before its answer')
  const work = tasks(lab)[0]?.work
  t.match(work, {
    kind: 'hook',
    retry: false,
    facts: { operation, kind: 'swap', service: 'shop', fromVersion: '1.0.0', toVersion: '2.0.0', domain: null },
  })
  t.strictSame(lab.refused({ kind: 'swap', service: 'shop' }), ['operation_in_progress'])
  say(lab, 'pre-swap', YES)
  t.equal(slots(lab), 'd2 d1')
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.strictSame(names(lab), [])
  t.strictSame(lab.state.tasks, {}, 'no record of it stays behind')
})

t.test('a pre-swap that fails refuses the swap, and another swap asks anew', async t => {
  const lab = both()
  hook(lab, 'pre-swap')
  const operation = lab.accept(swap)
  say(lab, 'pre-swap', NO)
  lab.settle()
  t.equal(slots(lab), 'd1 d2')
  t.match(lab.operation(operation), { status: 'Failed', error: { code: 'hook_failed', message: /not today/ } })
  t.ok(lab.events.some(({ kind, message }) => kind === 'hook' && message.includes('not today')))
  const again = lab.accept(swap)
  t.strictSame(names(lab), ['pre-swap'])
  say(lab, 'pre-swap', YES)
  lab.settle()
  t.equal(lab.operation(again).status, 'Succeeded')
})

t.test('while a hook is asked the swap can be cancelled, and its word is not heard any more', async t => {
  const lab = both()
  hook(lab, 'pre-swap')
  const operation = lab.accept(swap)
  const [task] = tasks(lab)
  const cancel = lab.accept({ ...swap, phase: 'cancel' })
  t.match(lab.operation(operation), { status: 'Cancelled', error: { code: 'cancelled' } })
  t.equal(lab.operation(cancel).status, 'Succeeded')
  lab.input({ kind: 'task-reported', id: task?.id ?? '', report: YES })
  lab.settle()
  t.equal(slots(lab), 'd1 d2')
})

// "post-swap … its failure fails the operation, the slots stay".
t.test('post-swap is asked once every proxy has the new table', async t => {
  const lab = both()
  hook(lab, 'post-swap')
  const operation = lab.accept(swap)
  t.strictSame(names(lab), [], 'not before it is published')
  lab.acknowledge()
  t.strictSame(names(lab), ['post-swap'])
  say(lab, 'post-swap', NO)
  t.equal(slots(lab), 'd2 d1')
  t.match(lab.operation(operation), {
    status: 'Failed',
    error: { code: 'hook_failed', message: /slots are exchanged/ },
  })
})

t.test('a task survives the controller, and a word that comes twice counts once', async t => {
  const lab = both()
  hook(lab, 'pre-swap')
  const operation = lab.accept(swap)
  const before = tasks(lab)
  lab.restart()
  lab.settle()
  t.strictSame(tasks(lab), before, 'the next controller runs it again, under the same id')
  const id = before[0]?.id ?? ''
  lab.input({ kind: 'task-reported', id, report: YES })
  lab.input({ kind: 'task-reported', id, report: NO })
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.equal(slots(lab), 'd2 d1')
})

t.test('a walk asks before and after each domain', async t => {
  const lab = deployed()
  hook(lab, 'pre-domain', 'post-domain', 'confirm-domain')
  const operation = lab.accept(upgradeTo('unmonitored-auto'))
  lab.settle()
  const asked: string[] = []
  for (let turn = 0; turn < 20 && names(lab).length > 0; turn++) {
    t.equal(names(lab).length, 1, 'one at a time')
    asked.push(names(lab)[0] ?? '')
    say(lab, '', YES)
    lab.settle()
  }
  t.strictSame(
    asked,
    [0, 1, 2].flatMap(domain => [`pre-domain/${domain}`, `post-domain/${domain}`, `confirm-domain/${domain}`]),
  )
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.strictSame(lab.state.tasks, {})
})

t.test('no instance goes down before pre-domain has said yes', async t => {
  const lab = deployed()
  hook(lab, 'pre-domain')
  lab.accept(upgradeTo('auto'))
  lab.settle()
  t.equal(lab.stages(), 'web0:serving web1:serving web2:serving')
  t.equal(running(lab).phase, 'waiting')
  say(lab, 'pre-domain/0', YES)
  t.match(lab.stages(), /^web0:draining/)
})

t.test('confirm-domain is asked until it says yes; what it says meanwhile is told', async t => {
  const lab = deployed()
  hook(lab, 'confirm-domain')
  lab.accept(upgradeTo('auto'))
  lab.settle()
  t.match(tasks(lab)[0]?.work, { kind: 'hook', retry: true })
  for (const detail of ['exit 1: not yet', 'exit 1: soon']) say(lab, 'confirm-domain/0', { kind: 'waiting', detail })
  t.equal(lab.versions(), '2.0.0 1.0.0 1.0.0', 'the next domain waits')
  t.equal(lab.events.filter(({ kind }) => kind === 'hook').length, 1, 'not one event for every question')
  say(lab, 'confirm-domain/0', YES)
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 1.0.0')
})

const FAILURES = [
  { mode: 'monitored', action: 'rollback', status: 'RolledBack', versions: '1.0.0 1.0.0 1.0.0' },
  { mode: 'monitored', action: 'manual', status: 'Failed', versions: '2.0.0 1.0.0 1.0.0' },
  // There is no failureAction in the modes of Cloud Services: the walk halts for its operator.
  { mode: 'auto', action: 'rollback', status: 'Failed', versions: '2.0.0 1.0.0 1.0.0' },
] as const

for (const { mode, action, status, versions } of FAILURES) {
  t.test(`post-domain fails in ${mode} with failureAction ${action}: ${status}`, async t => {
    const lab = deployed()
    hook(lab, 'post-domain', 'pre-domain')
    const policy = { failureAction: action, healthCheckStableDuration: '0s' } as const
    const operation = lab.accept(upgradeTo(mode, policy))
    lab.settle()
    say(lab, 'pre-domain/0', YES)
    lab.settle()
    lab.flow(2000)
    say(lab, 'post-domain/0', NO)
    lab.settle()
    t.match(lab.operation(operation), { status, error: { code: 'hook_failed' } })
    t.equal(lab.versions(), versions)
    if (status === 'RolledBack') return
    t.equal(running(lab).failure?.reason, 'Hook')
    t.strictSame(names(lab), [], 'nothing is asked before somebody walks on')
    lab.accept({ kind: 'walk', ...AT })
    lab.settle()
    t.strictSame(names(lab), ['pre-domain/0'], 'the domain begins again, and asks again')
  })
}

t.test('on-rollback is told, and nothing waits for it', async t => {
  const lab = deployed()
  hook(lab, 'on-rollback', 'pre-domain')
  lab.accept(upgradeTo('auto'))
  lab.settle()
  say(lab, 'pre-domain/0', YES)
  lab.settle()
  t.equal(lab.versions(), '2.0.0 1.0.0 1.0.0')
  const rollback = lab.accept({ kind: 'rollback', ...AT })
  t.strictSame(names(lab), ['on-rollback'], 'and the question about domain 1 is taken back')
  lab.settle()
  t.equal(lab.operation(rollback).status, 'Succeeded', 'the way back asks for nothing')
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0')
  say(lab, 'on-rollback', NO)
  t.strictSame(lab.state.tasks, {})
})
