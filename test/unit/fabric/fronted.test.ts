import t from 'tap'
import type { Slot } from '../../../src/model/slot.ts'
import type { Release } from '../../../src/model/release.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import { viewDeployment } from '../../../src/controller/views/deployment-view.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const fronts = (version: string, upstreams: string[]): Release =>
  makeRelease('shop', version, [role('web', { command: null, upstreams })])
const V1 = fronts('1.0.0', ['127.0.0.1:7000', '[::1]:7001'])
const V2 = fronts('2.0.0', ['10.0.0.7:7000', 'app.test:7001'])
const AT = { service: 'shop', slot: 'production' } as const
const create = (release: Release, slot: Slot = 'production') =>
  ({ kind: 'create', service: 'shop', slot, package: release.digest, replace: false }) as const
const upgrade = {
  kind: 'upgrade',
  ...AT,
  package: V2.digest,
  force: false,
  restartUnchanged: false,
  overlap: false,
} as const
const askedOf = (lab: Lab, node: string) => projectAssignments(lab.state)[node]?.fronted ?? []

function deployed(): Lab {
  const lab = new Lab([V1, V2])
  lab.accept(create(V1))
  lab.settle()
  return lab
}

t.test('one agent asks after what is not run here; the table has it once it answers', async t => {
  const lab = new Lab([V1, V2])
  lab.frontedState = 'starting'
  const operation = lab.accept(create(V1))
  lab.settle()
  t.equal(lab.operation(operation).status, 'InProgress')
  t.equal(lab.target('web_IN_0'), undefined)
  t.match(askedOf(lab, 'n1'), [
    { key: 'd1/web_IN_0', incarnation: 1, host: '127.0.0.1', ports: { http: 7000 }, backend: 'h1' },
    { key: 'd1/web_IN_1', incarnation: 1, host: '::1', ports: { http: 7001 } },
  ])
  t.strictSame(askedOf(lab, 'n2'), [])
  lab.frontedState = 'ready'
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.match(lab.target('web_IN_1'), { host: '::1', port: 7001, state: 'in' })
})

t.test('what stops to answer leaves the table, and comes back', async t => {
  const lab = deployed()
  lab.frontedState = 'unresponsive'
  lab.settle()
  t.match(lab.target('web_IN_0'), { state: 'draining' })
  t.match(viewDeployment(lab.state, lab.deployment(), 'production', lab.now).instances, [
    { status: 'UnresponsiveRole', node: '' },
  ])
  lab.frontedState = 'ready'
  lab.settle()
  t.match(lab.target('web_IN_0'), { state: 'in' })
})

t.test('a silent agent changes nothing; when its node is given up another asks', async t => {
  const lab = deployed()
  lab.input({ kind: 'agent-disconnected', node: 'n1' })
  t.match(lab.target('web_IN_0'), { state: 'in' })
  lab.flow(86_400_000)
  lab.report(['n2'])
  t.equal(lab.state.nodes['n1']?.lost, true)
  t.equal(askedOf(lab, 'n2').length, 2)
  t.match(lab.target('web_IN_0'), { state: 'in' })
})

t.test('it is drained, suspended and swapped like any other', async t => {
  const lab = deployed()
  lab.accept(create(V2, 'staging'))
  lab.settle()
  t.match(lab.target('web_IN_1', 'staging'), { host: 'app.test', state: 'in' })
  lab.accept({ kind: 'swap', service: 'shop' })
  lab.settle()
  t.match(lab.target('web_IN_1'), { host: 'app.test' })
  lab.accept({ kind: 'drain', ...AT, instance: 'web_IN_0' })
  lab.settle()
  t.match(lab.target('web_IN_0'), { state: 'draining' })
  lab.accept({ kind: 'status', ...AT, status: 'Suspended' })
  lab.settle()
  t.equal(lab.listener('shop/production/web/http').pool, null)
  t.equal(askedOf(lab, 'n1').length, 2, 'only staging is asked after')
  const start = lab.accept({ kind: 'status', ...AT, status: 'Running' })
  lab.settle()
  t.equal(lab.operation(start).status, 'Succeeded')
})

t.test('what vipswap does not run it does not upgrade or restart, and says what does', async t => {
  const lab = deployed()
  const { code, message } = lab.refusal(upgrade)
  t.equal(code, 'change_not_allowed')
  t.match(message, /role web fronts .*--slot staging.*vipswap swap/)
  t.strictSame(lab.refused({ ...upgrade, package: V1.digest, restartUnchanged: true }), ['change_not_allowed'])
  t.match(lab.refusal({ kind: 'reboot', ...AT, instance: 'web_IN_0' }).message, /vipswap drain web_IN_0/)
})
