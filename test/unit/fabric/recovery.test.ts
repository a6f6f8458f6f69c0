import t from 'tap'
import { isHeld, mayAssign, consequencesOf, type RecoveryNote } from '../../../src/fabric/recovery.ts'
import { projectWakeIn } from '../../../src/fabric/wake.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import type { FabricState } from '../../../src/fabric/state.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const SHOP = { service: 'shop', slot: 'production' } as const

function note(over: Partial<RecoveryNote> = {}): RecoveryNote {
  return {
    at: 1,
    found: 'its log is cut off',
    aside: '/data/store.damaged',
    snapshot: { sequence: 40, takenAt: 1 },
    sequence: 40,
    lost: { from: 41, to: 45 },
    ...over,
  }
}

function deployed(instances = 2): Lab {
  const lab = new Lab(['1.0.0', '2.0.0'].map(version => makeRelease('shop', version, [role('web', { instances })])))
  lab.accept({ kind: 'create', ...SHOP, package: packageOf(lab, '1.0.0'), replace: false })
  lab.settle()
  return lab
}

function packageOf(lab: Lab, version: string): string {
  return Object.values(lab.state.releases).find(({ definition }) => definition.version === version)?.digest ?? ''
}

/** The lab's controller starts again with the state of earlier; its agents are as they are. */
function goBack(lab: Lab, earlier: FabricState, over: Partial<RecoveryNote> = {}): void {
  const seen = lab.state.observed.nodes
  lab.state = earlier
  lab.input({ kind: 'restored', settings: lab.settings, recovery: note(over) })
  for (const node of Object.keys(seen)) lab.connectAgent(node)
  for (const proxy of lab.proxies) lab.connectProxy(proxy)
  for (const [node, { instances }] of Object.entries(seen))
    lab.input({
      kind: 'agent-observed',
      node,
      revision: null,
      instances: Object.values(instances),
      packages: [packageOf(lab, '1.0.0'), packageOf(lab, '2.0.0')],
      packageErrors: {},
    })
}

t.test('where nothing was lost it is told, and all goes on', async t => {
  const lab = deployed()
  goBack(lab, lab.state, { lost: null })
  t.notOk(isHeld(lab.state))
  t.match(lab.events.at(-1), { kind: 'journal-recovered', message: /nothing acknowledged was lost/ })
  lab.settle()
  lab.accept({ kind: 'reboot', ...SHOP, instance: 'web_IN_0' })
})

t.test('a fabric that lost commits is held: no command, no rule, no clock and no task moves it', async t => {
  const lab = deployed()
  const earlier = lab.state
  lab.accept({ kind: 'reboot', ...SHOP, instance: 'web_IN_0' })
  lab.settle()
  goBack(lab, earlier)
  t.ok(isHeld(lab.state))
  t.strictSame(lab.refused({ kind: 'reboot', ...SHOP, instance: 'web_IN_1' }), ['recovery_pending'])
  t.equal(projectWakeIn(lab.state, lab.now), null)
  t.notOk(mayAssign(lab.state, 'n1'))
  const { roles, operations } = lab.state
  lab.pass(3_600_000)
  t.equal(lab.state.roles, roles)
  t.equal(lab.state.operations, operations)
  lab.restart()
  t.ok(isHeld(lab.state), 'also for the next controller')
})

t.test('accepted: proxies first, then nodes; what a lost change started serves on where it listens', async t => {
  const lab = deployed()
  const earlier = lab.state
  lab.accept({ kind: 'reboot', ...SHOP, instance: 'web_IN_0' })
  lab.settle()
  const now = lab.instance('web_IN_0')
  goBack(lab, earlier)
  t.ok(lab.instance('web_IN_0').incarnation < now.incarnation, 'the snapshot knows an earlier one')
  t.match(consequencesOf(lab.state), {
    keeps: [`${lab.deployment().id}/web_IN_0`],
    stops: [],
    starts: [],
    silentNodes: [],
  })
  t.equal(lab.input({ kind: 'recovery-accepted' }).refusal, null)
  t.match(lab.instance('web_IN_0'), { incarnation: now.incarnation, published: { ports: now.published?.ports ?? {} } })
  t.notOk(mayAssign(lab.state, 'n1'), 'proxies have to have the table first')
  lab.acknowledge()
  t.ok(mayAssign(lab.state, 'n1') && mayAssign(lab.state, 'n2'))
  lab.settle()
  t.equal(lab.state.fabric.recovery, null)
  t.equal(lab.events.findLast(({ kind }) => kind.startsWith('recovery'))?.kind, 'recovery-over')
  t.equal(lab.input({ kind: 'recovery-accepted' }).refusal?.code, 'nothing_to_do')
  t.match(projectAssignments(lab.state)[now.node]?.instances, [{ incarnation: now.incarnation, desired: 'run' }])
})

t.test('names and incarnations that lost commits gave are not given again', async t => {
  const lab = deployed()
  const earlier = lab.state
  const { nextDeployment, nextOperation } = earlier.fabric
  goBack(lab, earlier)
  t.ok(lab.state.fabric.nextDeployment >= nextDeployment + 50)
  t.ok(lab.state.fabric.nextOperation >= nextOperation + 50)
  const unknown = deployed()
  goBack(unknown, unknown.state, { lost: { from: 41, to: null } })
  t.ok(unknown.state.fabric.nextDeployment >= 100_000)
})

t.test('what is not recorded is named before it is stopped; a node that is silent is waited for', async t => {
  const lab = deployed()
  const earlier = lab.state
  lab.accept({ kind: 'create', service: 'shop', slot: 'staging', package: packageOf(lab, '2.0.0'), replace: false })
  lab.settle()
  goBack(lab, earlier)
  lab.input({ kind: 'agent-disconnected', node: 'n2' })
  const { stops, silentNodes } = consequencesOf(lab.state)
  t.equal(stops.length > 0, true)
  t.strictSame(silentNodes, ['n2'])
  lab.input({ kind: 'recovery-accepted' })
  lab.acknowledge()
  t.ok(mayAssign(lab.state, 'n1'))
  t.notOk(mayAssign(lab.state, 'n2'), 'it is compared when it has reported')
  const running = projectAssignments(lab.state)['n1']?.instances.map(({ key }) => key) ?? []
  t.ok(stops.every(key => !running.includes(key)))
  t.not(lab.state.fabric.recovery, null)
})

t.test('a proxy life that its successor does not name any more is not waited for', async t => {
  const lab = deployed()
  lab.connectProxy('p2', [{ incarnation: 'p1', exited: false }])
  lab.input({ kind: 'restored', settings: lab.settings, recovery: note() })
  lab.connectProxy('p2', [{ incarnation: 'p1', exited: false }])
  t.strictSame(Object.keys(lab.state.proxies), ['p1', 'p2'], 'named: it may carry traffic')
  lab.connectProxy('p3')
  t.strictSame(Object.keys(lab.state.proxies), ['p2', 'p3'])
})
