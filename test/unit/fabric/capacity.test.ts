import t from 'tap'
import type { CapacityFloor, RoleDefinition } from '../../../src/model/definition.ts'
import type { UpgradeMode } from '../../../src/model/states.ts'
import { floorCount } from '../../../src/model/order.ts'
import { processesOf } from '../../../src/fabric/state.ts'
import { viewDeployment } from '../../../src/controller/views/deployment-view.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

// "Before a domain goes down, a capacity floor must hold with it gone, else the walk waits and says so."

const SHOP = { service: 'shop', slot: 'production' } as const

function deployed(over: Partial<RoleDefinition> = {}): Lab {
  const made = ['1.0.0', '2.0.0'].map(version => makeRelease('shop', version, [role('web', { instances: 5, ...over })]))
  const lab = new Lab(made)
  lab.accept({ kind: 'create', ...SHOP, package: made[0]?.digest ?? '', replace: false })
  lab.settle()
  return lab
}

function upgrade(lab: Lab, mode: UpgradeMode): string {
  const { digest = '' } =
    Object.values(lab.state.releases).find(({ definition }) => definition.version === '2.0.0') ?? {}
  return lab.accept({
    kind: 'upgrade',
    ...SHOP,
    package: digest,
    mode,
    force: false,
    restartUnchanged: false,
    overlap: false,
  })
}

/** The lowest number of instances in rotation until all is quiet. */
function lowest(lab: Lab): number {
  let least = Infinity
  for (let turn = 0; turn < 200; turn++) {
    const before = lab.state.fabric.revision
    lab.acknowledge()
    lab.report()
    const up = lab.instances().filter(one => processesOf(one).some(({ published }) => published?.membership === 'in'))
    least = Math.min(least, up.length)
    if (before === lab.state.fabric.revision) return least
  }
  throw new Error('it does not come to rest')
}

const FLOORS: { floor: CapacityFloor; count: number; least: number }[] = [
  { floor: { unit: 'instances', value: 2 }, count: 5, least: 2 },
  { floor: { unit: 'percent', value: 50 }, count: 5, least: 3 },
  { floor: { unit: 'percent', value: 1 }, count: 10, least: 1 },
  { floor: { unit: 'percent', value: 0 }, count: 10, least: 0 },
  { floor: { unit: 'percent', value: 100 }, count: 7, least: 7 },
]

for (const { floor, count, least } of FLOORS) {
  t.test(`${floor.value} ${floor.unit} of ${count} is ${least}`, async t => t.equal(floorCount(floor, count), least))
}

t.test('with nothing written the domain layout is the floor: one domain down, all others up', async t => {
  const lab = deployed()
  upgrade(lab, 'auto')
  t.equal(lowest(lab), 4)
})

t.test('an instance of another domain that is down holds the next domain up, said once, until it is back', async t => {
  const lab = deployed()
  lab.seen = ({ index }) => (index === 4 ? { state: 'unresponsive' } : {})
  lab.settle()
  const operation = upgrade(lab, 'auto')
  t.equal(lowest(lab), 4)
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0 1.0.0 1.0.0')
  lab.settle()
  const said = lab.events.filter(({ kind }) => kind === 'upgrade-waiting')
  t.match(said, [{ message: /^domain 0 does not go down: role web would have 3 of 5 .* floor is 4/, operation }])
  t.equal(said.length, 1)
  const view = viewDeployment(lab.state, lab.deployment(), 'production', lab.now)
  t.match(view.upgradeStatus?.waitingFor, /floor is 4/)
  lab.seen = () => ({})
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
})

t.test('what cannot start is none of the walk’s doing: a fresh upgrade mends it', async t => {
  const lab = deployed()
  lab.seen = ({ index, spec }) => (index === 4 && spec.version === '1.0.0' ? { state: 'cycling' } : {})
  lab.settle()
  const operation = upgrade(lab, 'auto')
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
})

t.test('the last that serves does not go down, whatever the others are; force takes it all the same', async t => {
  const lab = deployed()
  lab.seen = ({ index, spec }) => (index > 0 && spec.version === '1.0.0' ? { state: 'cycling' } : {})
  lab.settle()
  const operation = upgrade(lab, 'auto')
  lab.settle()
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0 1.0.0 1.0.0')
  lab.accept({ kind: 'force', operation })
  lab.settle()
  t.match(lab.operation(operation), { status: 'Succeeded', receipt: { complete: false, note: /waived/ } })
})

t.test('a floor that a role sets holds in every mode that walks, and none is asked in simultaneous', async t => {
  const floor: CapacityFloor = { unit: 'percent', value: 100 }
  for (const mode of ['auto', 'monitored', 'unmonitored-auto', 'unmonitored-manual'] as const) {
    const lab = deployed({ capacityFloor: floor })
    upgrade(lab, mode)
    t.equal(lowest(lab), 5, mode)
    t.ok(
      lab.events.some(({ kind }) => kind === 'upgrade-waiting'),
      mode,
    )
  }
  const lab = deployed({ capacityFloor: floor })
  const operation = upgrade(lab, 'simultaneous')
  t.equal(lowest(lab), 0)
  t.equal(lab.operation(operation).status, 'Succeeded')
})

t.test('unmonitored modes ask for no health: without a floor of its own a role goes straight on', async t => {
  const lab = deployed()
  lab.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'cycling' } : {})
  const operation = upgrade(lab, 'unmonitored-auto')
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0 2.0.0 2.0.0')
})

t.test('start-first takes nothing away: a floor of all instances holds', async t => {
  const lab = deployed({ capacityFloor: { unit: 'percent', value: 100 }, order: 'start-first' })
  const operation = upgrade(lab, 'auto')
  t.equal(lowest(lab), 5)
  t.equal(lab.operation(operation).status, 'Succeeded')
})

t.test('a rollback asks for no floor: what is broken must come home', async t => {
  const lab = deployed({ capacityFloor: { unit: 'instances', value: 4 } })
  upgrade(lab, 'monitored')
  lab.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'cycling' } : {})
  lab.settle()
  lab.pass(60_001)
  lab.settle()
  t.equal(lab.versions(), '1.0.0 1.0.0 1.0.0 1.0.0 1.0.0')
  t.equal(lab.deployment().upgrade, null)
})
