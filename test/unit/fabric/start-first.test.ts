import t from 'tap'
import type { AssignedInstance } from '../../../src/contracts/assignment.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import type { RoleDefinition } from '../../../src/model/definition.ts'
import { Lab } from './lab.ts'

// Design rule 5, its one variant: the new process ready beside the old one, then the old one drained.

const SHOP = { service: 'shop', slot: 'production' } as const
const FLAGS = { force: false, restartUnchanged: false, overlap: false } as const

function lab(over: Partial<RoleDefinition> = {}, before: Partial<RoleDefinition> = over): Lab {
  const one = { instances: 1, ...over }
  const bench = new Lab([
    makeRelease('shop', '1.0.0', [role('web', { ...one, ...before })]),
    makeRelease('shop', '2.0.0', [role('web', one)]),
    makeRelease('shop', '3.0.0', [role('web', one)]),
  ])
  bench.accept({ kind: 'create', ...SHOP, package: digestOf(bench, '1.0.0'), replace: false })
  bench.settle()
  return bench
}

function digestOf(bench: Lab, version: string): string {
  const found = Object.values(bench.state.releases).find(({ definition }) => definition.version === version)
  return found?.digest ?? ''
}

function upgrade(bench: Lab, version = '2.0.0', mode: 'auto' | 'monitored' = 'auto'): string {
  return bench.accept({ kind: 'upgrade', ...SHOP, package: digestOf(bench, version), mode, ...FLAGS })
}

/** Folder, version and wish of each process of web_IN_0, by what agents are told. */
function told(bench: Lab): string[] {
  return Object.values(projectAssignments(bench.state))
    .flatMap(({ instances }) => instances)
    .filter(({ instance }) => instance === 'web_IN_0')
    .map(({ key, desired, incarnation, spec }) => `${key} ${desired} #${incarnation} ${spec.version}`)
    .toSorted()
}

// Of the three folders, local storage stands in the way of start-first, the role root is new in any case, and the system
// folder is the old process's as long as that runs.
t.test(
  'a process that starts beside another has folders of its own, empty; stop-first keeps the system folder',
  async t => {
    for (const [order, clean] of [
      ['start-first', ['d1/web_IN_0 none', 'd1/web_IN_0.b all']],
      ['stop-first', ['d1/web_IN_0 none']],
    ] as const) {
      const bench = lab({ order })
      upgrade(bench)
      const seen = new Set<string>()
      steps(bench, () => {
        for (const { instances } of Object.values(projectAssignments(bench.state)))
          for (const each of instances) if (each.instance === 'web_IN_0') seen.add(`${each.key} ${each.clean}`)
      })
      t.strictSame([...seen].toSorted(), clean)
    }
  },
)

/** Version and state of each target of the pool. */
function routed(bench: Lab): string[] {
  return Object.values(bench.routing().pools)
    .flatMap(({ targets }) => targets)
    .map(({ version, state }) => `${version} ${state}`)
    .toSorted()
}

/** Reports and acknowledgements one by one, calling `look` after each, until nothing follows. */
function steps(bench: Lab, look: () => void): void {
  for (let turn = 0; turn < 100; turn++) {
    const before = bench.state.fabric.revision
    bench.acknowledge()
    look()
    bench.report()
    look()
    if (bench.state.fabric.revision === before) return
  }
  throw new Error('it does not come to rest')
}

t.test('a role of one instance is upgraded without a moment in which nothing is chosen from', async t => {
  const bench = lab()
  const operation = upgrade(bench)
  const seen: string[] = []
  steps(bench, () => {
    const now = routed(bench).join(', ')
    if (seen.at(-1) !== now) seen.push(now)
    t.ok(
      routed(bench).some(target => target.endsWith(' in')),
      now,
    )
  })
  t.strictSame(seen, ['1.0.0 in', '1.0.0 draining, 2.0.0 in', '2.0.0 in'])
  t.equal(bench.operation(operation).status, 'Succeeded')
  t.strictSame(told(bench), ['d1/web_IN_0.b run #2 2.0.0'])
})

t.test('both processes have folders of their own, and the old one is stopped only when no proxy has it', async t => {
  const bench = lab()
  upgrade(bench)
  bench.seen = ({ spec }: AssignedInstance) => (spec.version === '2.0.0' ? { state: 'starting' } : {})
  bench.settle()
  t.strictSame(told(bench), ['d1/web_IN_0 run #1 1.0.0', 'd1/web_IN_0.b run #2 2.0.0'])
  t.strictSame(routed(bench), ['1.0.0 in'])
  bench.seen = () => ({})
  bench.report()
  t.strictSame(routed(bench), ['1.0.0 draining', '2.0.0 in'])
  bench.inFlight = { 'd1/web_IN_0#1.1': 2 }
  bench.acknowledge()
  bench.report()
  t.match(told(bench), ['d1/web_IN_0 run #1', 'd1/web_IN_0.b run #2'], 'requests in flight hold it')
  bench.inFlight = {}
  bench.acknowledge()
  t.match(told(bench), ['d1/web_IN_0 run #1'], 'out of the table, not yet everywhere')
  bench.acknowledge()
  t.match(told(bench), ['d1/web_IN_0 stop #1', 'd1/web_IN_0.b run #2'])
})

t.test('the next upgrade takes the first lane again, with an incarnation that never was', async t => {
  const bench = lab()
  upgrade(bench)
  bench.settle()
  upgrade(bench, '3.0.0')
  bench.settle()
  t.strictSame(told(bench), ['d1/web_IN_0 run #3 3.0.0'])
})

t.test(
  'a version that cannot start never costs the one that serves, and the rollback leaves that untouched',
  async t => {
    const bench = lab()
    upgrade(bench, '2.0.0', 'monitored')
    bench.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'cycling' } : {})
    bench.settle()
    bench.pass(60_001)
    bench.settle()
    t.strictSame(routed(bench), ['1.0.0 in'])
    t.strictSame(told(bench), ['d1/web_IN_0 run #1 1.0.0'], 'the same process as before')
    const ended = Object.values(bench.state.operations).map(({ kind, status }) => `${kind} ${status}`)
    t.strictSame(ended.slice(1), ['upgrade RolledBack', 'rollback Succeeded'])
  },
)

t.test(
  'a new one that falls ill while the old one drains is for the gate to judge, once the old one is gone',
  async t => {
    const bench = lab()
    upgrade(bench, '2.0.0', 'monitored')
    bench.inFlight = { 'd1/web_IN_0#1.1': 1 }
    for (let turn = 0; turn < 6; turn++) {
      bench.acknowledge()
      bench.report()
    }
    t.strictSame(routed(bench), ['1.0.0 draining', '2.0.0 in'])
    bench.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'unresponsive' } : {})
    bench.inFlight = {}
    bench.settle()
    bench.flow(60_001)
    bench.settle()
    t.strictSame(routed(bench), ['1.0.0 in'], 'rolled back')
    const ended = Object.values(bench.state.operations).map(({ kind, status }) => `${kind} ${status}`)
    t.strictSame(ended.slice(1), ['upgrade RolledBack', 'rollback Succeeded'])
  },
)

t.test('a rollback while the old one drains lets it serve again', async t => {
  const bench = lab()
  upgrade(bench)
  bench.inFlight = { 'd1/web_IN_0#1.1': 1 }
  for (let turn = 0; turn < 6; turn++) {
    bench.acknowledge()
    bench.report()
  }
  t.strictSame(routed(bench), ['1.0.0 draining', '2.0.0 in'])
  bench.inFlight = {}
  bench.accept({ kind: 'rollback', ...SHOP })
  steps(bench, () => t.ok(routed(bench).some(target => target.endsWith(' in'))))
  t.strictSame(told(bench), ['d1/web_IN_0 run #1 1.0.0'])
})

t.test('a rollback after the old one was told to stop starts it again beside the new one', async t => {
  const bench = lab()
  upgrade(bench)
  while (!told(bench).some(each => each.includes(' stop '))) {
    bench.acknowledge()
    if (!told(bench).some(each => each.includes(' stop '))) bench.report()
  }
  bench.accept({ kind: 'rollback', ...SHOP })
  steps(bench, () => t.ok(routed(bench).some(target => target.endsWith(' in'))))
  t.strictSame(told(bench), ['d1/web_IN_0 run #3 1.0.0'])
  t.strictSame(routed(bench), ['1.0.0 in'])
})

t.test('a rollback whose old process is up and never answers ends, and what serves keeps serving', async t => {
  const bench = lab()
  upgrade(bench)
  bench.settle()
  upgrade(bench, '3.0.0', 'monitored')
  bench.settle()
  // Ready once, at a moment at which no controller listened, and sick since.
  bench.seen = ({ spec }) => ({ state: spec.version === '2.0.0' ? 'unresponsive' : 'ready' })
  bench.accept({ kind: 'rollback', ...SHOP })
  steps(bench, () => t.ok(routed(bench).includes('3.0.0 in')))
  const ended = Object.values(bench.state.operations).map(({ kind, status, error }) => [kind, status, error?.code])
  t.strictSame(ended.at(-1), ['rollback', 'Failed', 'start_failed'])
  t.match(
    bench.events.find(({ kind }) => kind === 'rollback-halted')?.message,
    /web_IN_0 did not become ready on 2.0.0/,
  )

  bench.seen = () => ({})
  bench.accept({ kind: 'rollback', ...SHOP })
  steps(bench, () => t.ok(routed(bench).some(target => target.endsWith(' in'))))
  t.strictSame(routed(bench), ['2.0.0 in'])
})

t.test('a controller that dies after any step is taken over, and nothing is told otherwise', async t => {
  const whole = lab()
  upgrade(whole)
  let count = 0
  steps(whole, () => count++)
  for (let kill = 0; kill < count; kill++) {
    const bench = lab()
    upgrade(bench)
    let step = 0
    steps(bench, () => {
      if (step++ !== kill) return
      const before = [told(bench), routed(bench)]
      bench.restart()
      t.strictSame([told(bench), routed(bench)], before, `killed after step ${kill}`)
    })
    t.strictSame(
      [told(bench), routed(bench)],
      [['d1/web_IN_0.b run #2 2.0.0'], ['2.0.0 in']],
      `killed after step ${kill}`,
    )
  }
})

t.test('delete while two processes are there removes both, drained first', async t => {
  const bench = lab()
  upgrade(bench)
  bench.seen = ({ spec }) => (spec.version === '2.0.0' ? { state: 'starting' } : {})
  bench.settle()
  const operation = bench.accept({ kind: 'delete', ...SHOP })
  bench.settle()
  t.equal(bench.operation(operation).status, 'Succeeded')
  t.strictSame(told(bench), [])
})

const CASES: { name: string; role: Partial<RoleDefinition>; before?: Partial<RoleDefinition>; beside: boolean }[] = [
  { name: 'one instance of a web role', role: {}, beside: true },
  {
    name: 'order: stop-first (Cloud Services: a single instance is down meanwhile)',
    role: { order: 'stop-first' },
    beside: false,
  },
  { name: 'several instances', role: { instances: 2 }, beside: false },
  { name: 'several instances, order: start-first', role: { instances: 2, order: 'start-first' }, beside: true },
  { name: 'a worker', role: { kind: 'worker', endpoints: [] }, beside: false },
  {
    name: 'local storage',
    role: { localStorage: [{ name: 'data', sizeBytes: 1, cleanOnRecycle: false }] },
    beside: false,
  },
  {
    name: 'local storage that the new version brings',
    role: { localStorage: [{ name: 'data', sizeBytes: 1, cleanOnRecycle: false }] },
    before: { localStorage: [] },
    beside: false,
  },
]

for (const { name, role: over, before, beside } of CASES) {
  t.test(`${name}: ${beside ? 'start-first' : 'stop-first'}`, async t => {
    const bench = lab(over, before)
    upgrade(bench)
    let together = false
    steps(bench, () => (together ||= told(bench).length > 1))
    t.equal(together, beside)
    t.equal(new Set(bench.versions().split(' ')).size, 1)
    t.match(bench.versions(), '2.0.0')
  })
}
