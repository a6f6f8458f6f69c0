import t, { type Test } from 'tap'
import type { LedgerRow } from '../../../src/contracts/ledger.ts'
import { Reconciler } from '../../../src/controller/reconciler.ts'
import { SecondsRing } from '../../../src/controller/traffic/series.ts'
import { startTraffic } from '../../../src/controller/traffic/traffic.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { bucketOf } from '../../../src/core/histogram.ts'
import { emptyRow, NO_ANSWERS } from '../../../src/model/ledger-row.ts'
import type { Store } from '../../../src/store/store.ts'
import type { Lab } from '../fabric/lab.ts'
import { deployed } from '../fabric/upgrade-lab.ts'

const VIP = 'shop/production/web/http'

/** `count` requests that took `ms` each, answered 200. */
function answered(count: number, ms: number, over: Partial<LedgerRow> = {}): LedgerRow {
  const durations = { sumUs: count * ms * 1000, buckets: [bucketOf(ms), count] }
  const answers = { ...NO_ANSWERS, statuses: [0, count, 0, 0, 0] as const, duration: durations, firstByte: durations }
  return { ...emptyRow(VIP, 'd1', '1.0.0'), arrived: count, answered: count, answers, ...over }
}

function memoryStore(): Store {
  let sequence = 0
  return {
    get sequence() {
      return sequence
    },
    fabricId: 'f',
    get: async () => undefined,
    async *range() {},
    transact: async () => (sequence += 1),
    watch: () => () => {},
    close: async () => undefined,
  }
}

/** The traffic of a lab's fabric; `tell` is a proxy's next word, `pass` the next seconds. */
function trafficOf(t: Test, lab: Lab) {
  let ms = lab.ms
  const clock = { now: () => ({ wall: 1_000_000 + ms, mono: ms, bootId: lab.boot }) }
  const reconciler = new Reconciler({
    state: lab.state,
    events: [...lab.events],
    store: memoryStore(),
    clock,
    log: silentLogger(),
  })
  const traffic = startTraffic(reconciler, clock, 0)
  t.teardown(() => {
    traffic.close()
    reconciler.close()
  })
  const tell = async (rows: LedgerRow[], incarnation = 'p1'): Promise<void> => {
    const { revision } = reconciler.state.fabric
    const status = { revision, inFlight: {}, ledger: { incarnation, rows } }
    await reconciler.settle({ kind: 'proxy-status', incarnation, status })
  }
  return { reconciler, traffic, tell, pass: (by: number) => void (ms += by) }
}

t.test('a window has what was counted between its mark and now, and leaves a mark to go on from', async t => {
  const { traffic, tell, pass } = trafficOf(t, deployed())
  await tell([answered(100, 1)])
  const { mark } = await traffic.mark('shop', 'begin')
  pass(2000)
  await tell([
    answered(140, 1, {
      arrived: 151,
      answered: 140,
      refused: 1,
      clientGone: 2,
      broken: { timeout: 3 },
      held: 4,
      heldMaxMs: 250,
    }),
  ])
  const view = await traffic.view('shop', mark)
  t.match(view, { service: 'shop', mark, seconds: 2, complete: true, note: null })
  t.equal(view.rows.length, 1)
  t.match(view.rows[0], {
    vip: VIP,
    slot: 'production',
    role: 'web',
    endpoint: 'http',
    deployment: 'd1',
    version: '1.0.0',
    arrived: 51,
    answered: 40,
    refused: 1,
    clientGone: 2,
    held: 4,
    heldMaxMs: 250,
    broken: 3,
    open: 5,
    brokenBy: { timeout: 3 },
    statuses: {
      '2xx': 40,
      '5xx': 0,
    },
    requestsPerSecond: 23,
    duration: {
      count: 40,
      meanMs: 1,
    },
  })
  const { arrived, answered: whole, refused, clientGone, broken, open } = view.totals
  t.equal(arrived, whole + refused + clientGone + broken + open, 'it adds up')
  pass(1000)
  const after = await traffic.view('shop', view.next)
  t.match(after.totals, { arrived: 0, answered: 0, open: 5, requestsPerSecond: 0, duration: null })
  t.match((await traffic.view('shop', 'begin')).totals, { arrived: 51 }, 'a label is as good as the name')
  t.strictSame(
    traffic.marks('shop').map(({ label }) => label),
    ['begin'],
    'what readings leave is not listed',
  )
})

t.test('without a mark it is everything the living proxies counted', async t => {
  const lab = deployed()
  const { traffic, tell, pass } = trafficOf(t, lab)
  await tell([answered(10, 1), answered(5, 1, { vip: 'blog/production/web/http' })])
  pass(5000)
  t.match(await traffic.view('shop', null), { mark: null, seconds: 5, complete: true, totals: { arrived: 10 } })
})

t.test('a proxy that is gone, or had told nothing, makes a window incomplete', async t => {
  const { reconciler, traffic, tell } = trafficOf(t, deployed())
  await tell([answered(10, 1)])
  const { mark } = await traffic.mark('shop', null)
  const predecessors = [{ incarnation: 'p1', exited: true }]
  await reconciler.settle({ kind: 'proxy-connected', id: 'proxy', incarnation: 'p2', bootId: 'boot-1', predecessors })
  t.match(await traffic.view('shop', mark), { complete: false, note: /p1, p2/, rows: [] })
  await tell([answered(3, 1)], 'p2')
  t.match(await traffic.view('shop', mark), { complete: false, note: /p1 could/, totals: { arrived: 3 } })
})

t.test('a worker that died with open requests makes the window incomplete: its last counts are missing', async t => {
  const { traffic, tell } = trafficOf(t, deployed())
  await tell([answered(10, 1, { arrived: 11 })])
  const { mark } = await traffic.mark('shop', null)
  await tell([answered(10, 1, { arrived: 11, broken: { 'proxy-died': 1 } })])
  t.match(await traffic.view('shop', mark), { complete: false, note: /died/, totals: { broken: 1 } })
  await tell([answered(20, 1, { arrived: 21, broken: { 'proxy-died': 1 } })])
  const { next } = await traffic.view('shop', mark)
  t.match(await traffic.view('shop', next), { complete: true, note: null }, 'a window that began later is whole')
})

t.test('no such service, no such mark', async t => {
  const { traffic } = trafficOf(t, deployed())
  await t.rejects(traffic.view('nope', null), { code: 'service_not_found' })
  await t.rejects(traffic.mark('nope', null), { code: 'service_not_found' })
  t.throws(() => traffic.series('nope', 1, 0), { code: 'service_not_found' })
  await t.rejects(traffic.view('shop', 'm-0'), { code: 'mark_not_found' })
})

t.test('one point a second for each slot, deployment and version', async t => {
  const ring = new SecondsRing()
  const proxy = (rows: LedgerRow[]) => ({
    online: true,
    acknowledged: null,
    listeners: [],
    status: { revision: { term: 1, n: 1 }, inFlight: {}, ledger: { incarnation: 'p', rows } },
  })
  const sample = (second: number, proxies: Record<string, LedgerRow[]>): void =>
    ring.sample(
      {
        observed: {
          nodes: {},
          proxies: Object.fromEntries(Object.entries(proxies).map(([name, rows]) => [name, proxy(rows)])),
        },
      },
      second * 1000,
    )
  const second = { ...emptyRow('shop/production/web/admin', 'd1', '1.0.0'), arrived: 2, broken: { timeout: 1 } }
  sample(1, { p: [answered(100, 1)] })
  sample(2, { p: [answered(150, 1), second], late: [answered(1000, 1)] })
  sample(3, { p: [answered(150, 1), second], late: [answered(1001, 1)] })
  sample(3, { p: [answered(150, 1), second], late: [answered(1001, 1)] })
  t.match(ring.series('shop', 900, 0), { service: 'shop', stepMs: 1000, points: { length: 4 } })
  const [first, two, three, four] = ring.series('shop', 900, 0).points
  t.strictSame(first?.rows, [], 'the first has nothing to compare with')
  t.match(two, { seq: 2, at: '1970-01-01T00:00:02.000Z' })
  t.strictSame(two?.rows.length, 1, 'the addresses of a slot are one, and a proxy just heard of waits a second')
  t.match(two?.rows[0], {
    slot: 'production',
    deployment: 'd1',
    version: '1.0.0',
    requests: 51,
    errors: 1,
    open: 1,
    held: 0,
    p50Ms: Number,
  })
  t.match(three?.rows, [{ requests: 1, errors: 0 }])
  t.match(four, { seq: 4, rows: [] }, 'numbers grow although the clock stands still')
  t.strictSame(
    ring.series('shop', 3, 2).points.map(({ seq }) => seq),
    [3, 4],
  )
  t.strictSame(ring.series('blog', 1, 0).points, [{ at: '1970-01-01T00:00:03.000Z', seq: 4, rows: [] }])
  for (let at = 5; at < 1000; at++) sample(at, {})
  t.equal(ring.series('shop', 900, 0).points.length, 900, 'no more are kept')
})
