import t from 'tap'
import type { AssignedInstance, Assignment, RunSpec } from '../../../src/contracts/assignment.ts'
import { AssignmentContents } from '../../../src/controller/links/assignment-content.ts'

const SPEC: RunSpec = {
  id: 's1',
  package: 'a'.repeat(64),
  path: '.',
  version: '1.0.0',
  command: 'node server.js',
  startup: [],
  endpoints: [{ name: 'http', protocol: 'http' }],
  probe: { kind: 'process', intervalMs: 1000, timeoutMs: 1000, healthy: 1, unhealthy: 3 },
  settings: { colour: 'green' },
  env: {},
  internalEndpoints: {},
  localStorage: [],
  startTimeoutMs: 1000,
  stopTimeoutMs: 1000,
}

const instance = (index: number, more: Partial<AssignedInstance> = {}): AssignedInstance => ({
  key: `d1/web_IN_${index}`,
  service: 'shop',
  deployment: 'd1',
  role: 'web',
  instance: `web_IN_${index}`,
  index,
  incarnation: 1,
  desired: 'run',
  clean: 'none',
  upgradeDomain: index,
  faultDomain: 0,
  peers: { web: 2 },
  spec: SPEC,
  ...more,
})

const assignment = (n: number, more: Partial<Assignment> = {}): Assignment => ({
  fabric: 'f',
  revision: { term: 1, n },
  node: 'n1',
  instances: [instance(0), instance(1)],
  fronted: [],
  packages: [SPEC.package],
  portRange: { from: 1, to: 2 },
  ...more,
})

/** Would an agent that was told the first be told the second, too? */
function differ(before: Assignment, after: Assignment): boolean {
  const contents = new AssignmentContents()
  const [a, b] = [before, after].map(each => contents.of({ n1: each }).get('n1')?.content)
  return a !== b
}

t.test('a revision, and who works on it, are no news to an agent', async t => {
  t.notOk(differ(assignment(1), assignment(2)))
  const worked = assignment(2, { instances: [instance(0, { operation: 'op-1' }), instance(1, { operation: 'op-1' })] })
  t.notOk(differ(assignment(1), worked))
  t.notOk(differ(worked, assignment(3)))
  const anew = instance(0, { peers: { web: 2 }, spec: { ...SPEC, settings: { colour: 'green' } } })
  t.notOk(differ(assignment(1), assignment(2, { instances: [anew, instance(1)] })), 'equal, made anew')
})

t.test('anything else is', async t => {
  // Whatever field an instance has: the compiler wants a new one named here.
  const other: Omit<Required<AssignedInstance>, 'operation'> = {
    key: 'd1/web_IN_0.b',
    service: 'other',
    deployment: 'd2',
    role: 'other',
    instance: 'web_IN_7',
    index: 7,
    incarnation: 2,
    desired: 'stop',
    clean: 'all',
    upgradeDomain: 7,
    faultDomain: 7,
    peers: { web: 3 },
    spec: { ...SPEC, settings: { colour: 'blue' } },
  }
  const { peers: _none, ...alone } = instance(0)
  const changed = Object.entries(other).map(([name, value]) => instance(0, { [name]: value }))
  for (const each of [...changed, instance(0, { spec: { ...SPEC, limits: { openFiles: 10 } } }), alone]) {
    const after = assignment(2, { instances: [each, instance(1)] })
    t.ok(differ(assignment(1), after), JSON.stringify(each))
    t.ok(differ(after, assignment(1)), 'and back')
  }
  for (const more of [
    { instances: [instance(0)] },
    { instances: [instance(1), instance(0)] },
    { packages: [] },
    { portRange: { from: 1, to: 3 } },
    { trustedKeys: { k: 'x' } },
  ]) {
    t.ok(differ(assignment(1), assignment(2, more)), Object.keys(more).join())
    t.ok(differ(assignment(1, more), assignment(2)), 'and back')
  }
})

t.test('what a thousand instances share is looked at once, and each node is judged by itself', async t => {
  let looks = 0
  const state = (n: number, odd = 1): Record<string, Assignment> => {
    const spec: RunSpec & { toJSON: () => object } = {
      ...SPEC,
      toJSON: () => {
        looks += 1
        return SPEC
      },
    }
    const many = Array.from({ length: 1000 }, (_, index) => instance(index, { spec }))
    const busy = many.map((each, index) => (index === 500 ? { ...each, incarnation: odd } : each))
    return { n1: assignment(n, { instances: many }), n2: assignment(n, { node: 'n2', instances: busy }) }
  }
  const contents = new AssignmentContents()
  const first = contents.of(state(1))
  const second = contents.of(state(2, 2))
  t.equal(first.get('n1')?.content, second.get('n1')?.content)
  t.not(first.get('n2')?.content, second.get('n2')?.content)
  t.same(second.get('n1')?.assignment.revision, { term: 1, n: 2 })
  t.equal(looks, 2, 'once in each state')
})
