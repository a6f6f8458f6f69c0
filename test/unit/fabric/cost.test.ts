import t from 'tap'
import type { RoleDefinition } from '../../../src/model/definition.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

// What a decision looks at grows with a deployment, not with its square. Counted, not timed: a loaded machine is slow.

const SHOP = { service: 'shop', slot: 'production' } as const
const SMALL = 40

interface Counter {
  looks: number
}

/** The same object, and how often one of its fields was looked at. */
function watched<T extends object>(it: T, counter: Counter): T {
  return new Proxy(it, {
    get: (target, key) => {
      counter.looks += 1
      return Reflect.get(target, key) as unknown
    },
  })
}

const each = <T extends object>(table: Readonly<Record<string, T>>, change: (record: T) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(table).map(([key, record]) => [key, change(record)]))

function lab(web: Partial<RoleDefinition>, counter: Counter): { bench: Lab; digests: readonly string[] } {
  const made = ['1.0.0', '2.0.0'].map(version => makeRelease('shop', version, [role('web', web)]))
  const bench = new Lab(made, [])
  bench.settings.sizes = watched({ small: { cores: 1, memoryBytes: 1 } }, counter)
  bench.settings.nodeTimeoutMs = 1000
  bench.input({ kind: 'restored', settings: bench.settings })
  for (const node of ['n1', 'n2']) bench.connectAgent(node, { cores: 1000 })
  bench.connectProxy('p1')
  return { bench, digests: made.map(({ digest }) => digest) }
}

const WORK: Record<string, (instances: number) => number> = {
  'a tick while nodes are lost and there is no other': instances => {
    const counter = { looks: 0 }
    const { bench, digests } = lab({ instances }, counter)
    bench.accept({ kind: 'create', ...SHOP, package: digests[0] ?? '', replace: false })
    bench.settle()
    for (const node of ['n1', 'n2']) bench.input({ kind: 'agent-disconnected', node })
    bench.pass(1000)
    const roles = each(bench.state.roles, found => ({
      ...found,
      instances: found.instances.map(instance => watched(instance, counter)),
    }))
    bench.state = { ...bench.state, roles }
    counter.looks = 0
    bench.pass(1)
    return counter.looks
  },
  'placing instances that have a size': instances => {
    const counter = { looks: 0 }
    const { bench, digests } = lab({ instances, size: 'small' }, counter)
    bench.accept({ kind: 'create', ...SHOP, package: digests[0] ?? '', replace: false })
    return counter.looks
  },
  'a tick while instances answer their warm-up': instances => {
    const counter = { looks: 0 }
    const warmUp: RoleDefinition['warmUp'] = [{ endpoint: 'http', path: '/', accept: [[200, 399]], timeoutMs: 1000 }]
    const { bench, digests } = lab({ instances, warmUp }, counter)
    for (const [index, slot] of (['production', 'staging'] as const).entries()) {
      bench.accept({ kind: 'create', service: 'shop', slot, package: digests[index] ?? '', replace: false })
      bench.settle()
    }
    bench.accept({ kind: 'swap', service: 'shop' })
    bench.state = { ...bench.state, tasks: each(bench.state.tasks, task => watched(task, counter)) }
    counter.looks = 0
    bench.pass(1)
    return counter.looks
  },
}

for (const [name, work] of Object.entries(WORK)) {
  t.test(`${name}: four times the instances are about four times the work`, async t => {
    const [few, many] = [work(SMALL), work(4 * SMALL)]
    t.ok(few > SMALL, 'it was looked at')
    t.ok(many < 6 * few, `${few} looks for ${SMALL} instances, ${many} for ${4 * SMALL}`)
  })
}
