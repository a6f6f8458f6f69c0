import { DEFAULT_FABRIC_CONFIG } from '../../../src/model/load-fabric-config.ts'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Command } from '../../../src/contracts/command.ts'
import { DEFAULT_LIMITS } from '../../../src/contracts/routing.ts'
import { changesBetween, readJournal } from '../../../src/controller/journal.ts'
import { Reconciler } from '../../../src/controller/reconciler.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { emptyState, type FabricSettings } from '../../../src/fabric/state.ts'
import { openLevelStore } from '../../../src/store/level-store.ts'
import type { Change, Store } from '../../../src/store/store.ts'
import { tempDir } from '../../support/temp.ts'

const SETTINGS: FabricSettings = {
  vips: null,
  services: {},
  limits: DEFAULT_LIMITS,
  endpointDefaults: DEFAULT_FABRIC_CONFIG.endpointDefaults,
  portRange: { from: 20000, to: 29999 },
  sizes: {},
  quota: null,
  nodeTimeoutMs: 300_000,
}
const FACTS = { cores: 2, memoryBytes: 1, host: '127.0.0.1', faultDomain: null, upgradeDomain: null }
const clock = { now: () => ({ wall: 1, mono: 1, bootId: 'b' }) }

/** A store whose commits the test lets through one by one. */
function gatedStore(): { store: Store; commits: Change[][]; release: () => void; refuse: (error: Error) => void } {
  let settle: { resolve: () => void; reject: (error: Error) => void } | null = null
  let sequence = 0
  const commits: Change[][] = []
  const store: Store = {
    get sequence() {
      return sequence
    },
    fabricId: 'f',
    get: () => Promise.resolve(undefined),
    async *range() {},
    transact: async (_expected, changes) => {
      await new Promise<void>((resolve, reject) => {
        settle = { resolve, reject }
      })
      commits.push([...changes])
      sequence += 1
      return sequence
    },
    watch: () => () => {},
    close: () => Promise.resolve(),
  }
  return { store, commits, release: () => settle?.resolve(), refuse: error => settle?.reject(error) }
}

function reconcilerOn(t: Test, store: Store): Reconciler {
  const reconciler = new Reconciler({ state: emptyState('f', SETTINGS), events: [], store, clock, log: silentLogger() })
  t.teardown(() => reconciler.close())
  return reconciler
}

t.test('nobody hears of a change before it is durable', async t => {
  const { store, commits, release } = gatedStore()
  const reconciler = reconcilerOn(t, store)
  let heard = 0
  reconciler.on('state', () => {
    heard += 1
  })
  const settled = reconciler.settle({ kind: 'agent-connected', node: 'node-0', facts: FACTS })
  await new Promise(resolve => {
    setImmediate(() => setImmediate(resolve))
  })
  t.equal(heard, 0)
  t.same(reconciler.state.nodes, {}, 'the state shown is the committed one')
  release()
  await settled
  t.ok(reconciler.state.nodes['node-0'])
  t.match(
    commits[0]?.map(({ key }) => key),
    ['fabric', 'node/node-0', /^event\//],
  )
})

t.test('a journal that cannot be written rejects what waits and accepts nothing more', async t => {
  const { store, refuse } = gatedStore()
  const reconciler = reconcilerOn(t, store)
  const broken = new Promise(resolve => {
    reconciler.once('broken', resolve)
  })
  const first = reconciler.settle({ kind: 'agent-connected', node: 'node-0', facts: FACTS })
  await new Promise(resolve => {
    setImmediate(() => setImmediate(resolve))
  })
  refuse(new Error('EIO'))
  await t.rejects(first, /EIO/)
  await broken
  await t.rejects(reconciler.settle({ kind: 'tick' }), /EIO/)
  t.same(reconciler.state.nodes, {})
})

t.test('a refused command says why and writes nothing', async t => {
  const { store, commits } = gatedStore()
  const reconciler = reconcilerOn(t, store)
  await t.rejects(reconciler.submit({ kind: 'swap', service: 'shop' }), {
    code: 'service_not_found',
    status: 404,
  })
  t.same(commits, [])
})

t.test('a command the core stumbles over fails alone: nothing is written, and the next one is heard', async t => {
  const { store, commits } = gatedStore()
  const reconciler = reconcilerOn(t, store)
  let broken = false
  reconciler.once('broken', () => {
    broken = true
  })
  // What no reader of requests lets through; it stands for a fault of ours.
  const nonsense = { kind: 'walk?' } as unknown as Command
  await t.rejects(reconciler.submit(nonsense), /walk\?/)
  await t.rejects(reconciler.submit({ kind: 'swap', service: 'shop' }), { code: 'service_not_found' })
  t.same(commits, [])
  t.notOk(broken)
})

t.test('what was journaled is read back as it was, deletions too', async t => {
  const directory = join(tempDir(t), 'store')
  const store = await openLevelStore({ directory })
  const reconciler = reconcilerOn(t, store)
  await reconciler.settle({ kind: 'agent-connected', node: 'node-0', facts: FACTS })
  await reconciler.settle({ kind: 'proxy-connected', id: 'p', incarnation: 'p1', bootId: 'b', predecessors: [] })
  await reconciler.settle({
    kind: 'proxy-connected',
    id: 'p',
    incarnation: 'p2',
    bootId: 'b',
    predecessors: [{ incarnation: 'p1', exited: true }],
  })
  const before = reconciler.state
  reconciler.close()
  await store.close()
  const again = await openLevelStore({ directory })
  t.teardown(() => again.close())
  const { state, events } = await readJournal(again, SETTINGS)
  const { observed: _seen, ...durable } = before
  const { observed: _nothing, ...restored } = state
  t.same(restored, durable)
  t.same(Object.keys(restored.proxies), ['p2'])
  t.equal(events.length, before.fabric.nextEvent - 1)
  t.same(changesBetween(before, before, []), [], 'no difference, nothing to write')
})
