import t from 'tap'
import type { CreateCommand, UpgradeCommand } from '../../../src/contracts/command.ts'
import { viewOperation } from '../../../src/controller/views/operation-view.ts'
import type { Slot } from '../../../src/model/slot.ts'
import type { Release } from '../../../src/model/release.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import { endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const web = role('web', { settings: { colour: 'red' } })
const crunch = role('crunch', { kind: 'worker', endpoints: [], instances: 1, settings: { depth: '1' } })
const V1 = makeRelease('shop', '1.0.0', [web, crunch])
const V2 = makeRelease('shop', '2.0.0', [web, crunch])
const MOVED = makeRelease('shop', '3.0.0', [role('web', { endpoints: [endpoint('http', 9090)] })])
const FRONT = makeRelease('shop', '4.0.0', [
  role('web', { command: null, upstreams: ['127.0.0.1:7000', '127.0.0.1:7001'] }),
])
const ALL = [V1, V2, MOVED, FRONT]

const create = (release: Release, slot: Slot = 'production', replace = false): CreateCommand => ({
  kind: 'create',
  service: 'shop',
  slot,
  package: release.digest,
  replace,
})
const upgrade = (release: Release, over: Partial<UpgradeCommand> = {}): UpgradeCommand => ({
  kind: 'upgrade',
  service: 'shop',
  slot: 'production',
  package: release.digest,
  mode: 'auto',
  force: false,
  restartUnchanged: false,
  overlap: false,
  ...over,
})
const PRODUCTION = { service: 'shop', slot: 'production' } as const
const ports = (lab: Lab): string[] =>
  (lab.state.services['shop']?.listeners ?? []).map(({ key, port, bound }) => `${key} ${port} ${bound}`)

function deployed(release = V1): Lab {
  const lab = new Lab(ALL)
  lab.accept(create(release))
  lab.settle()
  return lab
}

t.test('a create that fails on a bound port leaves what was there, but for counters and its operation', async t => {
  for (const replace of [false, true]) {
    const lab = new Lab(ALL)
    if (replace) {
      lab.accept(create(V1, 'staging'))
      lab.settle()
      lab.accept({ kind: 'delete', service: 'shop', slot: 'staging' })
      lab.settle()
    }
    const { services, deployments, roles } = lab.state
    lab.takenPorts.add(9090)
    const operation = lab.accept(create(MOVED))
    lab.settle()
    t.equal(lab.operation(operation).status, 'Failed')
    t.match(lab.operation(operation).error, { code: 'port_in_use', message: /9090.*--?\w*|vips/ })
    t.strictSame(
      { services: lab.state.services, deployments: lab.state.deployments, roles: lab.state.roles },
      { services, deployments, roles },
    )
    lab.takenPorts.clear()
    const again = lab.accept(create(MOVED))
    lab.settle()
    t.equal(lab.operation(again).status, 'Succeeded')
  }
})

t.test(
  'two creates of a new service that meet a taken port fail both, and one without it keeps its addresses',
  async t => {
    const lab = new Lab(ALL)
    lab.takenPorts.add(8080)
    const operations = [lab.accept(create(V1)), lab.accept(create(V2, 'staging'))]
    lab.settle()
    t.strictSame(
      operations.map(id => lab.operation(id).error?.code),
      ['port_in_use', 'port_in_use'],
    )
    t.strictSame(lab.state.services, {})

    lab.takenPorts.clear()
    lab.packageErrors[V1.digest] = 'is damaged'
    const [failing, other] = [lab.accept(create(V1)), lab.accept(create(V2, 'staging'))]
    lab.settle()
    t.equal(lab.operation(failing).error?.code, 'invalid_package')
    t.equal(lab.operation(other).status, 'Succeeded')
    t.strictSame(ports(lab), ['shop/production/web/http 8080 8080', 'shop/staging/web/http 8081 8081'])
  },
)

t.test('an address that changes its port is bound to the new one, whatever a proxy last said of the old', async t => {
  const lab = deployed()
  lab.accept(create(MOVED, 'production', true))
  lab.settle()
  t.strictSame(ports(lab), ['shop/production/web/http 9090 9090', 'shop/staging/web/http 9091 9091'])
})

t.test('settings change with the package each role runs, also after an upgrade of one role', async t => {
  const lab = deployed()
  lab.accept(upgrade(V2, { role: 'web' }))
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 1.0.0')
  const configuration = { roles: { web: { settings: { colour: 'blue' } } } }
  lab.accept({ kind: 'configure', service: 'shop', slot: 'production', configuration })
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 1.0.0')
  t.equal(lab.desired('web_IN_0'), 'run 3 2.0.0')
  t.equal(lab.desired('crunch_IN_0'), 'run 1 1.0.0')
})

t.test('instances that front what is not ours are not scaled', async t => {
  const lab = deployed(FRONT)
  t.equal(lab.target('web_IN_1')?.port, 7001)
  const configuration = { roles: { web: { instances: 3 } } }
  t.strictSame(lab.refused({ kind: 'configure', service: 'shop', slot: 'production', configuration }), [
    'change_not_allowed',
  ])
})

t.test('both packages of a walk stay on every node of its roles until it has ended', async t => {
  const lab = deployed()
  lab.accept(upgrade(V2, { mode: 'simultaneous' }))
  lab.report()
  lab.acknowledge()
  lab.acknowledge()
  lab.report()
  t.match(lab.stages(), /web0:starting web1:starting/)
  const packages = (): unknown =>
    Object.values(projectAssignments(lab.state)).map(assignment => assignment.packages.length)
  t.strictSame(packages(), [2, 2])
  lab.settle()
  t.strictSame(packages(), [1, 1])
})

t.test('names that every object inherits are names like any other', t => {
  const odd = (version: string) => ({
    ...makeRelease('constructor', version, [role('toString', { endpoints: [endpoint('http', 0)] }), role('web')]),
  })
  const [one, two] = [odd('1.0.0'), odd('2.0.0')]
  const lab = new Lab([...ALL, one, two])
  const named = { service: 'constructor', slot: 'production' } as const
  t.same(lab.refused({ kind: 'swap', service: 'constructor' }), ['service_not_found'])
  t.same(lab.refused({ kind: 'delete', ...named }), ['service_not_found'])
  lab.accept({ ...create(one), ...named })
  lab.settle()
  t.ok(lab.instances(named.slot, named.service).every(({ stage }) => stage === 'serving'))
  for (const name of ['constructor', 'valueOf']) {
    t.same(lab.refused({ kind: 'configure', ...named, configuration: { roles: { [name]: { instances: 2 } } } }), [
      'invalid_configuration',
    ])
    const settings = { [name]: 'x' }
    t.same(lab.refused({ kind: 'configure', ...named, configuration: { roles: { web: { settings } } } }), [
      'invalid_configuration',
    ])
  }
  t.same(lab.refused({ ...upgrade(two), ...named, role: 'constructor' }), ['role_not_found'])
  lab.accept({ ...upgrade(two), ...named })
  lab.settle()
  t.equal(lab.deployment(named.slot, named.service).version, '2.0.0')
  t.end()
})

t.test('a delete ends whatever waits for instances that never become ready', t => {
  const begin: Record<string, (lab: Lab) => string> = {
    create: lab => {
      lab.seen = () => ({ state: 'starting' })
      return lab.accept(create(V1))
    },
    scale: lab => {
      lab.accept(create(V1))
      lab.settle()
      lab.seen = ({ index }) => ({ state: index > 1 ? 'starting' : 'ready' })
      return lab.accept({ kind: 'configure', ...PRODUCTION, configuration: { roles: { web: { instances: 4 } } } })
    },
    reboot: lab => {
      lab.accept(create(V1))
      lab.settle()
      lab.seen = () => ({ state: 'starting' })
      return lab.accept({ kind: 'reboot', ...PRODUCTION, instance: 'web_IN_0' })
    },
    start: lab => {
      lab.accept(create(V1))
      lab.settle()
      lab.accept({ kind: 'status', ...PRODUCTION, status: 'Suspended' })
      lab.settle()
      lab.seen = () => ({ state: 'starting' })
      return lab.accept({ kind: 'status', ...PRODUCTION, status: 'Running' })
    },
  }
  for (const [kind, run] of Object.entries(begin)) {
    const lab = new Lab(ALL)
    const waiting = run(lab)
    lab.settle()
    t.match(lab.operation(waiting), { kind, status: 'InProgress' })
    const removal = lab.accept({ kind: 'delete', ...PRODUCTION })
    t.match(lab.operation(waiting), { status: 'Cancelled', error: { code: 'superseded' } })
    lab.restart()
    lab.connectAgent('n1')
    lab.connectAgent('n2')
    lab.connectProxy('p1')
    lab.settle()
    t.equal(lab.operation(removal).status, 'Succeeded', kind)
    t.same(lab.state.deployments, {})
    t.same(lab.state.roles, {})
    lab.seen = () => ({})
    const again = lab.accept(create(V2))
    lab.settle()
    t.equal(lab.operation(again).status, 'Succeeded', `the slot is free again after ${kind}`)
  }
  t.end()
})

t.test('a create that still asks for its addresses is undone by a delete, and by nothing else', async t => {
  const lab = new Lab(ALL)
  lab.accept(create(V1, 'staging'))
  lab.settle()
  const { services } = lab.state
  const asked = lab.accept(create(MOVED))
  t.same(lab.refused(create(V2, 'production', true)), ['operation_in_progress'])
  t.same(lab.refused({ kind: 'status', ...PRODUCTION, status: 'Suspended' }), ['operation_in_progress'])
  const deletion = lab.accept({ kind: 'delete', ...PRODUCTION })
  t.match(lab.operation(asked), { status: 'Cancelled', error: { code: 'superseded' } })
  t.same(lab.state.services, services, 'addresses too')
  lab.settle()
  t.equal(lab.operation(deletion).status, 'Succeeded')
  lab.accept(create(V1))
  lab.settle()
  t.equal(lab.deployment().state, 'running')
})

t.test('force lets a deploy, and the addresses of an upgrade, go on without a proxy that is gone for ever', async t => {
  const lab = new Lab(ALL)
  lab.connectProxy('p2')
  lab.input({ kind: 'proxy-disconnected', incarnation: 'p2' })
  const operation = lab.accept(create(V1))
  lab.settle()
  const { progress } = viewOperation(lab.state, lab.operation(operation))
  t.match(progress, { step: 'binding', message: /p2.*vipswap force/ })
  lab.accept({ kind: 'force', operation })
  lab.settle()
  t.match(lab.operation(operation), { status: 'Succeeded', receipt: { complete: false, note: /waived.*proxy p2/ } })
  lab.takenPorts.add(9090)
  const next = lab.accept(upgrade(MOVED, { force: true }))
  lab.settle()
  t.match(lab.deployment().upgrade?.phase, 'preparing', 'p2 may have got the port')
  lab.accept({ kind: 'force', operation: next })
  lab.settle()
  t.match(lab.operation(next), { status: 'Failed', error: { code: 'port_in_use' } })
})

t.test('a deployment on its way down answers no address, while what it has in flight may end', async t => {
  const lab = deployed()
  lab.inFlight = { 'd1/web_IN_0#1.1': 1 }
  lab.accept({ kind: 'status', ...PRODUCTION, status: 'Suspended' })
  lab.acknowledge()
  const { listeners, pools } = lab.routing()
  const listener = listeners.find(({ slot }) => slot === 'production')
  t.match(listener, { pool: null, reason: /suspended/ })
  t.equal(pools['d1/web/http']?.targets.find(({ instance }) => instance === 'web_IN_0')?.state, 'draining')
})

t.test('deploy --replace takes the place of a deployment that never becomes ready', async t => {
  const lab = new Lab(ALL)
  lab.seen = () => ({ state: 'starting' })
  const stuck = lab.accept(create(V1))
  lab.settle()
  t.equal(lab.operation(stuck).status, 'InProgress')
  t.strictSame(lab.refused(create(V2)), ['slot_occupied'])
  const fresh = lab.accept(create(V2, 'production', true))
  t.match(lab.operation(stuck), { status: 'Cancelled', error: { code: 'superseded' } })
  lab.seen = () => ({})
  lab.settle()
  t.equal(lab.operation(fresh).status, 'Succeeded')
  t.equal(lab.deployment().version, '2.0.0')
})
