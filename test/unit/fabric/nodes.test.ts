import t from 'tap'
import type { ObservedState } from '../../../src/contracts/assignment.ts'
import { projectWakeIn } from '../../../src/fabric/wake.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import type { RoleDefinition } from '../../../src/model/definition.ts'
import { endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const SHOP = { service: 'shop', slot: 'production' } as const
const FLAGS = { force: false, restartUnchanged: false, overlap: false } as const

function releases(over: Partial<RoleDefinition> = {}, domains = 5) {
  return ['1.0.0', '2.0.0'].map(version =>
    makeRelease('shop', version, [role('web', { instances: 4, ...over })], { upgradeDomainCount: domains }),
  )
}

function deployed(nodes = ['n1', 'n2'], over: Partial<RoleDefinition> = {}, domains = 5): Lab {
  const lab = new Lab(releases(over, domains), nodes)
  lab.accept({ kind: 'create', ...SHOP, package: packageOf(lab, '1.0.0'), replace: false })
  lab.settle()
  return lab
}

function packageOf(lab: Lab, version: string): string {
  return Object.values(lab.state.releases).find(({ definition }) => definition.version === version)?.digest ?? ''
}

/** `web0:n1 web1:n2` */
function places(lab: Lab): string {
  return lab
    .instances()
    .map(({ id, node }) => `${id.replace('_IN_', '')}:${node}`)
    .join(' ')
}

/** Acknowledgements and reports of the nodes that are there, until nothing follows. */
function settle(lab: Lab, nodes: readonly string[]): void {
  for (let turn = 0; turn < 200; turn++) {
    const before = lab.state.fabric.revision
    lab.acknowledge()
    lab.report(nodes)
    if (before === lab.state.fabric.revision) return
  }
  throw new Error('it does not come to rest')
}

function cutOff(lab: Lab, node: string): void {
  lab.input({ kind: 'agent-disconnected', node })
}

const TIMEOUT = 86_400_000

t.test(
  'a node silent for longer than nodeTimeout has its instances moved, drained first; before that nothing changes',
  async t => {
    const lab = deployed()
    // Its receipt is whole.
    lab.flow(10_000)
    cutOff(lab, 'n1')
    t.equal(projectWakeIn(lab.state, lab.now), TIMEOUT)
    lab.pass(TIMEOUT - 1)
    settle(lab, ['n2'])
    t.equal(places(lab), 'web0:n1 web1:n2 web2:n1 web3:n2')
    t.equal(lab.target('web_IN_0')?.state, 'in', 'unknown is not gone')
    lab.pass(1)
    t.equal(lab.target('web_IN_0')?.state, 'draining')
    t.ok(lab.events.some(({ kind }) => kind === 'node-lost'))
    t.equal(places(lab), 'web0:n1 web1:n2 web2:n1 web3:n2', 'no proxy has acknowledged')
    settle(lab, ['n2'])
    t.equal(places(lab), 'web0:n2 web1:n2 web2:n2 web3:n2')
    t.equal(lab.stages(), 'web0:serving web1:serving web2:serving web3:serving')
    t.strictSame(projectAssignments(lab.state)['n1']?.instances, [], 'not listed means stopped and removed')
    t.ok(
      projectAssignments(lab.state)['n2']?.instances.filter(({ clean }) => clean === 'all').length === 2,
      'no folder comes along',
    )
  },
)

t.test('a controller that was away gives nodes their whole time-out again', async t => {
  const lab = deployed()
  cutOff(lab, 'n1')
  lab.pass(TIMEOUT - 1000)
  lab.restart()
  lab.report(['n2'])
  t.equal(projectWakeIn(lab.state, lab.now), TIMEOUT)
  lab.pass(TIMEOUT - 1)
  settle(lab, ['n2'])
  t.equal(places(lab), 'web0:n1 web1:n2 web2:n1 web3:n2')
})

t.test('a node that comes back in time is as it was', async t => {
  const lab = deployed()
  cutOff(lab, 'n1')
  lab.pass(TIMEOUT - 1)
  lab.connectAgent('n1')
  lab.pass(TIMEOUT)
  lab.settle()
  t.equal(places(lab), 'web0:n1 web1:n2 web2:n1 web3:n2')
  t.notOk(lab.events.some(({ kind }) => kind === 'node-lost'))
})

function says(lab: Lab, node: string, state: ObservedState): void {
  lab.input({
    kind: 'agent-observed',
    node,
    revision: projectAssignments(lab.state)[node]?.revision ?? null,
    packages: [],
    packageErrors: {},
    instances: ['web_IN_0', 'web_IN_2'].map(id => ({
      key: `d1/${id}`,
      incarnation: 1,
      attempt: 1,
      state,
      version: '1.0.0',
      host: '127.0.0.1',
      ports: {},
      pid: 1,
      restarts: 0,
      since: 0,
      detail: '',
    })),
  })
}

t.test('a lost node that returns gets nothing before what was moved away has stopped there', async t => {
  const lab = deployed()
  cutOff(lab, 'n1')
  lab.pass(TIMEOUT)
  settle(lab, ['n2'])
  const tables = JSON.stringify(lab.routing().pools)
  lab.connectAgent('n1')
  says(lab, 'n1', 'ready')
  t.equal(lab.state.nodes['n1']?.lost, true)
  t.equal(JSON.stringify(lab.routing().pools), tables, 'its old processes are nobody')
  const scale = (instances: number): void => {
    lab.accept({ kind: 'configure', ...SHOP, configuration: { roles: { web: { instances } } } })
  }
  scale(5)
  t.match(places(lab), 'web4:n2')
  settle(lab, ['n2'])
  says(lab, 'n1', 'stopping')
  t.equal(lab.state.nodes['n1']?.lost, true)
  says(lab, 'n1', 'stopped')
  t.equal(lab.state.nodes['n1']?.lost, undefined)
  t.ok(lab.events.some(({ kind }) => kind === 'node-returned'))
  lab.settle()
  scale(6)
  t.match(places(lab), 'web5:n1')
})

// src/fabric/README.md: to a lost node nothing comes before it has reported that what was moved has stopped.
t.test('a lost node is not taken back while something runs there that was to stop meanwhile', async t => {
  const lab = deployed()
  cutOff(lab, 'n1')
  lab.accept({ kind: 'status', ...SHOP, status: 'Suspended' })
  lab.pass(TIMEOUT)
  settle(lab, ['n2'])
  t.equal(lab.stages(), 'web0:stopped web1:stopped web2:stopped web3:stopped')
  lab.accept({ kind: 'drainNode', node: 'n1' })
  lab.connectAgent('n1')
  says(lab, 'n1', 'ready')
  t.equal(lab.state.nodes['n1']?.lost, true, 'its processes have not stopped yet')
  says(lab, 'n1', 'stopped')
  t.equal(lab.state.nodes['n1']?.lost, undefined)
})

t.test('a moved instance has an incarnation above the one that may still run', async t => {
  const lab = deployed()
  cutOff(lab, 'n1')
  lab.pass(TIMEOUT)
  settle(lab, ['n2'])
  t.equal(lab.instance('web_IN_0').incarnation, 2)
})

t.test('with no other node instances stay where they are, and are there when it comes back', async t => {
  const lab = deployed(['n1'])
  cutOff(lab, 'n1')
  lab.pass(TIMEOUT)
  settle(lab, [])
  t.equal(lab.stages(), 'web0:serving web1:serving web2:serving web3:serving')
  t.ok(lab.target('web_IN_0'))
  lab.connectAgent('n1')
  lab.settle()
  t.equal(lab.state.nodes['n1']?.lost, undefined)
  t.equal(lab.instance('web_IN_0').incarnation, 1)
})

t.test('a walk that waits on a lost node goes on elsewhere once it is given up', async t => {
  const lab = deployed()
  const operation = lab.accept({ kind: 'upgrade', ...SHOP, package: packageOf(lab, '2.0.0'), mode: 'auto', ...FLAGS })
  lab.report()
  lab.acknowledge()
  lab.acknowledge()
  t.match(lab.stages(), 'web0:stopping')
  cutOff(lab, 'n1')
  settle(lab, ['n2'])
  t.match(lab.stages(), 'web0:stopping', 'silence is not a stop')
  lab.pass(TIMEOUT)
  settle(lab, ['n2'])
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0 2.0.0')
  t.equal(places(lab), 'web0:n2 web1:n2 web2:n2 web3:n2')
})

t.test('force gives a silent node up at once, and the receipt says that the guarantee was waived', async t => {
  const lab = deployed()
  const operation = lab.accept({ kind: 'upgrade', ...SHOP, package: packageOf(lab, '2.0.0'), mode: 'auto', ...FLAGS })
  lab.report()
  lab.acknowledge()
  lab.acknowledge()
  cutOff(lab, 'n1')
  settle(lab, ['n2'])
  t.equal(lab.accept({ kind: 'force', operation }), operation)
  settle(lab, ['n2'])
  const { status, receipt } = lab.operation(operation)
  t.match(
    { status, receipt },
    { status: 'Succeeded', receipt: { complete: false, note: /guarantee was waived.*node n1/ } },
  )
})

t.test('force gives up no node that a new controller has not heard of yet, save where it stays silent', async t => {
  const lab = deployed()
  const operation = lab.accept({ kind: 'upgrade', ...SHOP, package: packageOf(lab, '2.0.0'), mode: 'auto', ...FLAGS })
  lab.report()
  lab.restart()
  lab.connectAgent('n2')
  lab.pass(1000)
  lab.accept({ kind: 'force', operation })
  t.equal(lab.state.nodes['n1']?.lost, undefined)
  t.match(lab.events.findLast(({ kind }) => kind === 'warning')?.message, /n1 may still dial in/)
  lab.pass(30_000)
  lab.accept({ kind: 'force', operation })
  t.equal(lab.state.nodes['n1']?.lost, true)
  t.match(lab.operation(operation).waived, ['proxy p1', 'node n1'])
})

t.test('force goes on without the word of a silent proxy; one that is connected is still waited for', async t => {
  const lab = deployed()
  lab.proxies = ['p1', 'p2']
  lab.connectProxy('p2')
  lab.settle()
  const operation = lab.accept({ kind: 'upgrade', ...SHOP, package: packageOf(lab, '2.0.0'), mode: 'auto', ...FLAGS })
  lab.report()
  lab.input({ kind: 'proxy-disconnected', incarnation: 'p2' })
  lab.acknowledge(['p1'])
  lab.pass(3_600_000)
  t.match(lab.stages(), 'web0:draining', 'a silent proxy is waited for for ever')
  lab.accept({ kind: 'force', operation })
  t.match(lab.stages(), 'web0:retiring')
  lab.report()
  t.match(lab.stages(), 'web0:retiring', 'p1 is there and has not said so')
  lab.proxies = ['p1']
  lab.settle()
  t.match(lab.operation(operation), { status: 'Succeeded', receipt: { complete: false, note: /waived.*proxy p2/ } })
})

// src/fabric/README.md: "Silence changes nothing"; design rule 2: membership changes never by silence alone, after a restart.
t.test('a forced operation waits for a proxy that was there when it was forced, also after a restart', async t => {
  const lab = deployed()
  lab.proxies = ['p1', 'p2']
  lab.connectProxy('p2')
  lab.settle()
  const operation = lab.accept({ kind: 'upgrade', ...SHOP, package: packageOf(lab, '2.0.0'), mode: 'auto', ...FLAGS })
  lab.report()
  lab.input({ kind: 'proxy-disconnected', incarnation: 'p2' })
  lab.accept({ kind: 'force', operation })
  t.match(lab.stages(), 'web0:draining', 'p1 has not acknowledged')
  lab.restart()
  lab.pass(3_600_000)
  t.match(lab.stages(), 'web0:draining', 'nobody is connected to the new controller yet: p1 may still send requests')
  lab.connectProxy('p1')
  lab.acknowledge(['p1'])
  t.match(lab.stages(), 'web0:retiring', 'p2 is not waited for, as before')
  lab.proxies = ['p1']
  for (const node of ['n1', 'n2']) lab.connectAgent(node)
  lab.settle()
  t.match(lab.operation(operation), { status: 'Succeeded', receipt: { note: /waived.*proxy p2/ } })
})

t.test('force is refused where nothing is in progress', async t => {
  const lab = deployed()
  t.strictSame(lab.refused({ kind: 'force', operation: 'op-1' }), ['nothing_to_do'])
  t.strictSame(lab.refused({ kind: 'force', operation: 'op-99' }), ['operation_not_found'])
})

t.test('a drained node is left one upgrade domain at a time, each ready elsewhere before the next', async t => {
  const lab = deployed(['n1', 'n2', 'n3'], { instances: 6 }, 3)
  const here = lab.instances().filter(({ node }) => node === 'n1')
  t.equal(here.length, 2)
  const operation = lab.accept({ kind: 'drainNode', node: 'n1' })
  let most = 0
  for (let turn = 0; turn < 100; turn++) {
    const before = lab.state.fabric.revision
    lab.acknowledge()
    lab.report()
    const away = lab.instances().filter(({ stage }) => stage !== 'serving')
    most = Math.max(most, new Set(away.map(({ upgradeDomain }) => upgradeDomain)).size)
    if (before === lab.state.fabric.revision) break
  }
  t.equal(most, 1)
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.notMatch(places(lab), 'n1')
  lab.accept({ kind: 'undrainNode', node: 'n1' })
  lab.accept({ kind: 'configure', ...SHOP, configuration: { roles: { web: { instances: 7 } } } })
  t.match(places(lab), 'web6:n1')
})

t.test('draining outlives the controller, and its end too', async t => {
  const lab = deployed()
  const operation = lab.accept({ kind: 'drainNode', node: 'n1' })
  lab.acknowledge()
  lab.restart()
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.equal(places(lab), 'web0:n2 web1:n2 web2:n2 web3:n2')
  lab.restart()
  lab.settle()
  t.equal(lab.state.nodes['n1']?.draining, true)
  lab.accept({ kind: 'reboot', ...SHOP, instance: 'web_IN_0' })
  lab.settle()
  t.equal(places(lab), 'web0:n2 web1:n2 web2:n2 web3:n2')
})

t.test('a walk under way goes first: what it restarts leaves with that, the rest follows it', async t => {
  const lab = deployed(['n1', 'n2'], {}, 2)
  lab.accept({ kind: 'upgrade', ...SHOP, package: packageOf(lab, '2.0.0'), mode: 'manual', ...FLAGS })
  lab.settle()
  const drain = lab.accept({ kind: 'drainNode', node: 'n1' })
  lab.settle()
  t.equal(places(lab), 'web0:n1 web1:n2 web2:n2 web3:n1')
  lab.accept({ kind: 'walk', ...SHOP })
  lab.settle()
  t.equal(places(lab), 'web0:n2 web1:n2 web2:n2 web3:n1')
  t.equal(lab.operation(drain).status, 'InProgress')
  lab.accept({ kind: 'walk', ...SHOP })
  lab.settle()
  t.equal(places(lab), 'web0:n2 web1:n2 web2:n2 web3:n2')
  t.equal(lab.operation(drain).status, 'Succeeded')
})

t.test('the one instance of a role leaves a drained node without a gap', async t => {
  const lab = deployed(['n1', 'n2'], { instances: 1 })
  lab.accept({ kind: 'drainNode', node: 'n1' })
  for (let turn = 0; turn < 30; turn++) {
    t.ok(Object.values(lab.routing().pools).some(pool => pool.targets.some(({ state }) => state === 'in')))
    lab.acknowledge()
    lab.report()
  }
  t.equal(places(lab), 'web0:n2')
})

t.test('what stays on its node after all keeps what it had stored there', async t => {
  const cleans = (lab: Lab): string[] =>
    (projectAssignments(lab.state)['n1']?.instances ?? []).map(({ instance, clean }) => `${instance} ${clean}`)

  const back = deployed()
  cutOff(back, 'n1')
  back.pass(TIMEOUT)
  t.match(back.stages(), 'web0:draining')
  back.connectAgent('n1')
  back.settle()
  t.strictSame(cleans(back), ['web_IN_0 none', 'web_IN_2 none'], 'its node returned while it drained')
  t.match(back.stages(), 'web0:serving')

  const undrained = deployed()
  undrained.accept({ kind: 'drainNode', node: 'n1' })
  t.match(undrained.stages(), 'web0:draining')
  undrained.accept({ kind: 'undrainNode', node: 'n1' })
  undrained.settle()
  t.strictSame(cleans(undrained), ['web_IN_0 none', 'web_IN_2 none'])
})

t.test('what speaks against draining and undraining a node', async t => {
  const lab = deployed(['n1'])
  t.strictSame(lab.refused({ kind: 'drainNode', node: 'n1' }), ['no_nodes'])
  t.strictSame(lab.refused({ kind: 'drainNode', node: 'n9' }), ['node_not_found'])
  t.strictSame(lab.refused({ kind: 'undrainNode', node: 'n1' }), ['nothing_to_do'])
  lab.connectAgent('n2')
  const operation = lab.accept({ kind: 'drainNode', node: 'n1' })
  t.strictSame(lab.refused({ kind: 'drainNode', node: 'n1' }), ['nothing_to_do'])
  lab.accept({ kind: 'undrainNode', node: 'n1' })
  t.match(lab.operation(operation), { status: 'Cancelled', error: { code: 'superseded' } })
})

t.test('a suspended deployment leaves a drained node at once, and starts where it then is', async t => {
  const lab = deployed()
  lab.accept({ kind: 'status', ...SHOP, status: 'Suspended' })
  lab.settle()
  const operation = lab.accept({ kind: 'drainNode', node: 'n1' })
  t.equal(lab.operation(operation).status, 'Succeeded')
  lab.accept({ kind: 'status', ...SHOP, status: 'Running' })
  lab.settle()
  t.equal(places(lab), 'web0:n2 web1:n2 web2:n2 web3:n2')
  t.equal(lab.stages(), 'web0:serving web1:serving web2:serving web3:serving')
})

t.test('a drained instance keeps its process, is not chosen, and stays so over restarts and walks', async t => {
  const lab = deployed()
  const operation = lab.accept({ kind: 'drain', ...SHOP, instance: 'web_IN_1' })
  t.equal(lab.target('web_IN_1')?.state, 'draining')
  t.equal(lab.operation(operation).status, 'InProgress')
  lab.acknowledge()
  t.equal(lab.operation(operation).status, 'Succeeded', 'no proxy chooses it any more')
  t.equal(lab.desired('web_IN_1'), 'run 1 1.0.0')
  lab.restart()
  lab.settle()
  t.equal(lab.target('web_IN_1')?.state, 'draining')
  const upgrade = lab.accept({ kind: 'upgrade', ...SHOP, package: packageOf(lab, '2.0.0'), mode: 'auto', ...FLAGS })
  lab.settle()
  t.equal(lab.operation(upgrade).status, 'Succeeded')
  t.equal(lab.desired('web_IN_1'), 'run 2 2.0.0')
  t.equal(lab.target('web_IN_1')?.state, 'draining')
  lab.accept({ kind: 'undrain', ...SHOP, instance: 'web_IN_1' })
  t.equal(lab.target('web_IN_1')?.state, 'in')
})

t.test('a pool in which all are drained is not worth holding a request for', async t => {
  const lab = deployed(['n1'], { instances: 1, endpoints: [endpoint('http', 8080)] })
  lab.accept({ kind: 'drain', ...SHOP, instance: 'web_IN_0' })
  t.strictSame(
    Object.values(lab.routing().pools).map(({ expecting }) => expecting),
    [false],
  )
  t.strictSame(lab.refused({ kind: 'drain', ...SHOP, instance: 'web_IN_0' }), ['nothing_to_do'])
  t.strictSame(lab.refused({ kind: 'undrain', ...SHOP, instance: 'web_IN_7' }), ['instance_not_found'])
})

t.test('a walk takes no domain down while a drained node’s instances of another are under way', async t => {
  const lab = deployed(['n1', 'n2', 'n3'], { instances: 3 }, 3)
  lab.accept({ kind: 'drainNode', node: 'n2' })
  t.equal(lab.stages(), 'web0:serving web1:draining web2:serving')
  lab.accept({ kind: 'upgrade', ...SHOP, package: packageOf(lab, '2.0.0'), mode: 'unmonitored-auto', ...FLAGS })
  for (let turn = 0; turn < 100; turn++) {
    const before = lab.state.fabric.revision
    lab.report()
    lab.acknowledge()
    t.ok(lab.instances().filter(({ stage }) => stage !== 'serving').length < 2, lab.stages())
    if (before === lab.state.fabric.revision) break
  }
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0')
  t.notMatch(places(lab), 'n2')
})
