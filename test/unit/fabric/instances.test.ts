import t from 'tap'

import type { InstanceObservation } from '../../../src/contracts/assignment.ts'
import { projectWakeIn } from '../../../src/fabric/wake.ts'
import { makeRelease } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const V1 = makeRelease('shop', '1.0.0')
const V2 = makeRelease('shop', '2.0.0')

const CREATE = { kind: 'create', service: 'shop', slot: 'production', package: V1.digest, replace: false } as const
const scale = (instances: number) =>
  ({
    kind: 'configure',
    service: 'shop',
    slot: 'production',
    configuration: { roles: { web: { instances } } },
  }) as const

/** `web` with two instances of 1.0.0 in production, serving. */
function deployed(): Lab {
  const lab = new Lab([V1, V2])
  lab.accept(CREATE)
  lab.settle()
  return lab
}

t.test('an instance that comes back after a scale-in begins above its old incarnation', async t => {
  const lab = deployed()
  lab.accept(scale(1))
  lab.settle()
  t.equal(lab.instances().length, 1)
  lab.accept(scale(2))
  lab.settle()
  t.equal(lab.instance('web_IN_1').incarnation, 2)
})

const observe = (lab: Lab, node: string, instances: readonly Partial<InstanceObservation>[]): void => {
  const revision = lab.state.fabric.revision
  lab.input({
    kind: 'agent-observed',
    node,
    revision,
    packages: [V1.digest],
    packageErrors: {},
    instances: instances.map(said => ({
      key: 'd1/web_IN_0',
      incarnation: 1,
      attempt: 1,
      state: 'ready',
      version: '1.0.0',
      host: '127.0.0.1',
      ports: { http: 20_000 },
      pid: 1,
      restarts: 0,
      since: 0,
      detail: '',
      ...said,
    })),
  })
}

const reboot = { kind: 'reboot', service: 'shop', slot: 'production', instance: 'web_IN_0' } as const

t.test('an agent that skipped an incarnation and says the one before is stopped holds up no removal', async t => {
  const lab = deployed()
  const flags = { force: false, restartUnchanged: false, overlap: false }
  lab.accept({ kind: 'upgrade', service: 'shop', slot: 'production', package: V2.digest, mode: 'auto', ...flags })
  for (let turn = 0; turn < 4; turn++) {
    lab.acknowledge()
    if (lab.instance('web_IN_0').stage !== 'starting') lab.report()
  }
  t.equal(lab.desired('web_IN_0'), 'run 2 2.0.0')
  lab.accept({ kind: 'delete', service: 'shop', slot: 'production' })
  lab.acknowledge()
  t.equal(lab.desired('web_IN_0'), 'stop 2 2.0.0')
  observe(lab, 'n1', [{ incarnation: 1, state: 'stopped' }])
  for (let turn = 0; turn < 4; turn++) {
    lab.acknowledge()
    lab.report(['n2'])
  }
  t.equal(lab.state.services['shop']?.slots.production, null)
})

t.test('a report of "stopped" from before the stop was asked for does not count', async t => {
  const lab = deployed()
  observe(lab, 'n1', [{ state: 'stopped' }])
  lab.accept(reboot)
  lab.acknowledge()
  t.match(lab.stages(), /web0:stopping/)
  t.equal(lab.instance('web_IN_0').incarnation, 1)
  lab.report()
  t.equal(lab.instance('web_IN_0').incarnation, 2)
})

t.test('an instance whose agent asks its probe anew stays in the table for what is in flight on it', async t => {
  const lab = deployed()
  for (const state of ['unresponsive', 'starting', 'stopping'] as const) {
    observe(lab, 'n1', [{ state }])
    t.equal(lab.target('web_IN_0')?.state, 'draining', state)
    observe(lab, 'n1', [{ state: 'ready' }])
    t.equal(lab.target('web_IN_0')?.state, 'in', 'and returns')
  }
  observe(lab, 'n1', [{ state: 'backoff' }])
  t.equal(lab.target('web_IN_0'), undefined, 'a dead process has nothing to finish')
  observe(lab, 'n1', [{ state: 'ready', attempt: 2 }])
  t.equal(lab.target('web_IN_0')?.key, 'd1/web_IN_0#1.2')
})

t.test('a drain past its deadline waits for a silent proxy without waking anybody', async t => {
  const lab = deployed()
  // Its receipt is whole.
  lab.flow(10_000)
  lab.accept(reboot)
  t.equal(projectWakeIn(lab.state, lab.now), 8000, 'the drain time-out and the grace')
  lab.pass(8000)
  t.match(lab.stages(), /web0:draining/)
  t.equal(projectWakeIn(lab.state, lab.now), null)
  lab.acknowledge()
  t.match(lab.stages(), /web0:retiring/)
})

t.test('an instance in a crash loop can be rebooted, and a reboot does not fail for another one', async t => {
  const lab = deployed()
  observe(lab, 'n1', [{ state: 'cycling', attempt: 9 }])
  t.ok(lab.instance('web_IN_0').hopeless)
  const other = lab.accept({ ...reboot, instance: 'web_IN_1' })
  t.equal(lab.operation(other).status, 'InProgress')
  lab.acknowledge()
  lab.acknowledge()
  lab.report(['n2'])
  lab.report(['n2'])
  lab.acknowledge()
  t.equal(lab.operation(other).status, 'Succeeded')
  const operation = lab.accept(reboot)
  t.equal(lab.operation(operation).status, 'InProgress')
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
})

t.test('a scale-in removes an instance that does not start', async t => {
  const lab = deployed()
  lab.seen = ({ index }) => (index === 2 ? { state: 'cycling' } : {})
  const out = lab.accept(scale(3))
  lab.settle()
  t.equal(lab.operation(out).error?.code, 'start_failed')
  const back = lab.accept(scale(2))
  lab.settle()
  t.equal(lab.operation(back).status, 'Succeeded')
  t.equal(lab.stages(), 'web0:serving web1:serving')
})
