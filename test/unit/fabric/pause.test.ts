import t from 'tap'
import { projectWakeIn } from '../../../src/fabric/wake.ts'
import { viewService } from '../../../src/controller/views/service-view.ts'
import type { Lab } from './lab.ts'
import { AT, deployed, upgradeTo } from './upgrade-lab.ts'

const PRODUCTION = 'shop/production/web/http'
const STAGING = 'shop/staging/web/http'
const pause = (timeoutMs = 30_000) => ({ kind: 'pause', ...AT, timeoutMs }) as const
const resume = { kind: 'resume', ...AT } as const
const pausedIn = (lab: Lab, key = PRODUCTION) => lab.listener(key).paused

/** A lab in which nothing else is due. */
function quiet(): Lab {
  const lab = deployed()
  lab.flow(20_000)
  return lab
}

t.test('a slot is paused once every proxy holds its requests, and shows until when', async t => {
  const lab = quiet()
  const operation = lab.accept(pause())
  t.equal(lab.operation(operation).status, 'InProgress')
  t.strictSame(pausedIn(lab), { until: lab.now.wall + 30_000, leftMs: 30_000 })
  t.equal(pausedIn(lab, STAGING), null)
  lab.acknowledge()
  t.match(lab.operation(operation), { status: 'Succeeded', kind: 'pause', slot: 'production' })
  lab.pass(10_000)
  t.strictSame(pausedIn(lab), { until: lab.now.wall + 20_000, leftMs: 20_000 }, 'less is left')
  const service = lab.state.services['shop']
  if (service === undefined) throw new Error('no service')
  const until = new Date(lab.now.wall + 20_000).toISOString()
  t.match(viewService(lab.state, service, lab.now).vips, [
    { slot: 'production', paused: { until } },
    { slot: 'staging', paused: null },
  ])
})

t.test('resume ends it; there is nothing to resume then', async t => {
  const lab = quiet()
  t.strictSame(lab.refused(resume), ['nothing_to_do'])
  lab.accept(pause())
  lab.acknowledge()
  const operation = lab.accept(resume)
  t.equal(pausedIn(lab), null)
  lab.acknowledge()
  t.match(lab.operation(operation), { kind: 'resume', status: 'Succeeded' })
  t.strictSame(lab.refused(resume), ['nothing_to_do'])
})

t.test('its time ends it without anybody; a second pause begins the time anew', async t => {
  const lab = quiet()
  lab.accept(pause(20_000))
  lab.settle()
  lab.pass(15_000)
  lab.accept(pause(20_000))
  lab.settle()
  lab.pass(19_000)
  t.ok(pausedIn(lab))
  t.equal(projectWakeIn(lab.state, lab.now), 1000)
  lab.pass(1000)
  t.equal(pausedIn(lab), null)
  t.match(lab.events.at(-1), { kind: 'pause-ended', service: 'shop', slot: 'production' })
})

t.test('it goes on over a restart of the controller, and over a reboot by the wall clock', async t => {
  for (const boot of ['boot-1', 'boot-2']) {
    const lab = quiet()
    lab.accept(pause())
    lab.settle()
    lab.ms += 10_000
    lab.boot = boot
    lab.restart()
    t.strictSame(pausedIn(lab), { until: lab.now.wall + 20_000, leftMs: 20_000 }, boot)
    lab.pass(20_000)
    t.equal(pausedIn(lab), null, boot)
  }
})

t.test('it belongs to the slot: a swap or an upgrade neither waits for it nor moves it', async t => {
  const lab = quiet()
  lab.accept({ kind: 'create', service: 'shop', slot: 'staging', package: lab.deployment().package, replace: false })
  lab.settle()
  lab.accept(pause(300_000))
  lab.settle()
  const swap = lab.accept({ kind: 'swap', service: 'shop' })
  lab.settle()
  t.equal(lab.operation(swap).status, 'Succeeded')
  t.ok(pausedIn(lab))
  t.equal(pausedIn(lab, STAGING), null)
  const upgrade = lab.accept(upgradeTo('unmonitored-auto'))
  lab.settle()
  t.equal(lab.operation(upgrade).status, 'Succeeded')
  t.ok(pausedIn(lab))
})

t.test('no such service', async t => {
  t.strictSame(quiet().refused({ ...pause(), service: 'nope' }), ['service_not_found'])
})
