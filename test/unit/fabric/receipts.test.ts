import t from 'tap'
import type { LedgerRow } from '../../../src/contracts/ledger.ts'
import { bucketOf } from '../../../src/core/histogram.ts'
import { NO_ANSWERS } from '../../../src/model/ledger-row.ts'
import { makeRelease } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const V1 = makeRelease('shop', '1.0.0')
const row = (over: Partial<LedgerRow>): LedgerRow => ({
  vip: 'shop/production/web/http',
  deployment: 'd1',
  version: '1.0.0',
  arrived: 0,
  answered: 0,
  refused: 0,
  clientGone: 0,
  held: 0,
  heldMaxMs: 0,
  replayed: 0,
  broken: {},
  ...over,
})

function deployed(): Lab {
  const lab = new Lab([V1])
  lab.accept({ kind: 'create', service: 'shop', slot: 'production', package: V1.digest, replace: false })
  lab.settle()
  return lab
}

const reboot = { kind: 'reboot', service: 'shop', slot: 'production', instance: 'web_IN_0' } as const

t.test('a receipt is the end minus the start, summed over proxies, of its own service only', async t => {
  const lab = deployed()
  lab.proxies = ['p1', 'p2']
  lab.connectProxy('p2')
  lab.rows = [
    row({ arrived: 10, answered: 8, refused: 1, held: 2, heldMaxMs: 40, broken: { timeout: 1 } }),
    row({ vip: 'blog/production/web/http', arrived: 100, answered: 100 }),
  ]
  lab.acknowledge()
  const operation = lab.accept(reboot)
  lab.rows = [
    row({ arrived: 15, answered: 11, refused: 1, clientGone: 1, held: 3, heldMaxMs: 40, broken: { timeout: 1 } }),
    row({ vip: 'blog/production/web/http', arrived: 200, answered: 200 }),
  ]
  lab.settle()
  const { receipt } = lab.operation(operation)
  t.match(receipt, { complete: true, note: null })
  t.strictSame(receipt?.traffic, [
    { ...row({ arrived: 10, answered: 6, clientGone: 2, held: 2, heldMaxMs: 0 }), open: 2 },
  ])
})

t.test('a proxy that is gone at the end makes the receipt incomplete, and says so', async t => {
  const lab = deployed()
  const operation = lab.accept(reboot)
  lab.connectProxy('p2', [{ incarnation: 'p1', exited: true }])
  lab.proxies = ['p2']
  lab.settle()
  t.match(lab.operation(operation).receipt, { complete: false, note: /p1/ })
})

t.test('a worker that died with open requests makes the receipt incomplete, and it says so', async t => {
  const lab = deployed()
  const operation = lab.accept(reboot)
  lab.rows = [row({ arrived: 5, answered: 3, broken: { 'proxy-died': 2 } })]
  lab.settle()
  t.match(lab.operation(operation).receipt, { complete: false, note: /died/ })
})

t.test('a request that was held arrives in one row and ends in another: open is told once a VIP', async t => {
  const lab = deployed()
  lab.rows = [row({ deployment: '', version: '', arrived: 5, held: 5 }), row({ answered: 5 })]
  lab.acknowledge()
  const operation = lab.accept(reboot)
  lab.rows = [row({ deployment: '', version: '', arrived: 5, held: 5 }), row({ arrived: 3, answered: 7 })]
  lab.settle()
  const traffic = lab.operation(operation).receipt?.traffic ?? []
  t.strictSame(traffic, [{ ...row({ arrived: 3, answered: 2 }), open: 1 }])
})

t.test('what a proxy counted before this controller heard of it is not an operation’s', async t => {
  const lab = deployed()
  lab.rows = [row({ arrived: 100, answered: 90, broken: { timeout: 10 } })]
  lab.acknowledge()
  lab.restart()
  const operation = lab.accept(reboot)
  lab.acknowledge()
  lab.rows = [row({ arrived: 104, answered: 94, broken: { timeout: 10 } })]
  lab.settle()
  t.match(lab.operation(operation).receipt, { complete: true })
  t.strictSame(lab.operation(operation).receipt?.traffic, [{ ...row({ arrived: 4, answered: 4 }), open: 0 }])
})

t.test('rows that were folded since the start are taken off where they went', async t => {
  const lab = deployed()
  const folded = { deployment: '*', version: '' }
  const gone = { vip: 'shop/d0/api/internal' }
  lab.rows = [
    row({ deployment: 'd0', arrived: 100, answered: 100 }),
    row({ ...folded, arrived: 30, answered: 30 }),
    row({ arrived: 7, answered: 7 }),
    row({ ...gone, deployment: 'd0', arrived: 40, answered: 40 }),
  ]
  lab.acknowledge()
  const operation = lab.accept(reboot)
  lab.rows = [
    row({ ...folded, arrived: 132, answered: 132 }),
    row({ arrived: 9, answered: 9 }),
    row({ ...folded, vip: 'shop/*', arrived: 41, answered: 41 }),
  ]
  lab.settle()
  t.strictSame(lab.operation(operation).receipt?.traffic, [
    { ...row({ ...folded, arrived: 2, answered: 2 }), open: 0 },
    { ...row({ arrived: 2, answered: 2 }), open: 0 },
    { ...row({ ...folded, vip: 'shop/*', arrived: 1, answered: 1 }), open: 0 },
  ])
})

t.test('a version that was folded and came back is counted right', async t => {
  const lab = deployed()
  lab.rows = [row({ arrived: 100, answered: 100 })]
  lab.acknowledge()
  const operation = lab.accept(reboot)
  lab.rows = [row({ arrived: 3, answered: 3 }), row({ deployment: '*', version: '', arrived: 101, answered: 101 })]
  lab.settle()
  t.strictSame(lab.operation(operation).receipt?.traffic, [
    { ...row({ arrived: 3, answered: 3 }), open: 0 },
    { ...row({ deployment: '*', version: '', arrived: 1, answered: 1 }), open: 0 },
  ])
})

t.test('a receipt has the durations and statuses of its own time', async t => {
  const lab = deployed()
  const answers = (n: number): NonNullable<LedgerRow['answers']> => ({
    statuses: [0, n, 0, 0, 0],
    own: [0, 0, 0, 0, 0],
    bytesIn: 0,
    bytesOut: 10 * n,
    duration: { sumUs: 1000 * n, buckets: [48, n] },
    firstByte: { sumUs: 500 * n, buckets: [40, n] },
  })
  lab.rows = [row({ arrived: 5, answered: 5, answers: answers(5) })]
  lab.acknowledge()
  const operation = lab.accept(reboot)
  lab.rows = [row({ arrived: 7, answered: 7, answers: answers(7) })]
  lab.settle()
  t.strictSame(lab.operation(operation).receipt?.traffic[0]?.answers, answers(2))
})

/** `count` requests answered in all, each within `ms`. */
const served = (count: number, ms: number, version = '1.0.0'): LedgerRow =>
  row({
    version,
    arrived: count,
    answered: count,
    answers: { ...NO_ANSWERS, duration: { sumUs: count * ms * 1000, buckets: [bucketOf(ms), count] } },
  })

t.test('a receipt compares durations before, during and after, by version', async t => {
  const lab = deployed()
  const tell = (rows: LedgerRow[]): void => {
    const { revision } = lab.state.fabric
    lab.rows = rows
    lab.input({
      kind: 'proxy-status',
      incarnation: 'p1',
      status: { revision, inFlight: {}, ledger: { incarnation: 'p1', rows } },
    })
  }
  for (let second = 1; second <= 30; second++) {
    lab.pass(1000)
    tell([served(10 * second, 1)])
  }
  const operation = lab.accept(reboot)
  t.strictSame(lab.operation(operation).before, { '1.0.0': { sumUs: 110_000, buckets: [bucketOf(1), 110] } })
  lab.pass(1000)
  lab.rows = [served(307, 1)]
  lab.settle()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.match(lab.operation(operation).receipt?.traffic[0]?.answers?.duration.buckets, [bucketOf(1), 7])
  t.equal(lab.state.aftermaths[operation]?.durations, null, 'its time is not over')
  lab.pass(4000)
  tell([served(310, 1), served(5, 1, '2.0.0')])
  lab.restart()
  lab.pass(6000)
  t.equal(lab.state.aftermaths[operation]?.durations, null, 'after a restart the proxies are waited for')
  tell([served(312, 1), served(6, 1, '2.0.0')])
  t.match(lab.state.aftermaths[operation], { watch: null })
  t.strictSame(lab.state.aftermaths[operation]?.durations, {
    '1.0.0': { sumUs: 5000, buckets: [bucketOf(1), 5] },
    '2.0.0': { sumUs: 6000, buckets: [bucketOf(1), 6] },
  })
})

t.test('what nobody could look at in time is left out of a receipt', async t => {
  for (const miss of ['silence', 'reboot'] as const) {
    const lab = deployed()
    const operation = lab.accept(reboot)
    lab.settle()
    if (miss === 'reboot') lab.boot = 'boot-2'
    lab.restart()
    if (miss === 'silence') lab.flow(16_000)
    else lab.input({ kind: 'tick' })
    t.match(lab.state.aftermaths[operation], { durations: null, watch: null }, miss)
  }
})

t.test('a receipt tells what was in flight on the instances that its operation took out', async t => {
  const lab = deployed()
  const before = lab.accept({ kind: 'drain', service: 'shop', slot: 'production', instance: 'web_IN_1' })
  lab.settle()
  t.equal(lab.operation(before).drained, undefined, 'one that is kept aside finishes in its own time')
  const key = lab.target('web_IN_0')?.key ?? ''
  lab.inFlight = { [key]: 3 }
  const operation = lab.accept(reboot)
  lab.acknowledge()
  t.equal(lab.operation(operation).drained, 3)
  lab.inFlight = { [key]: 1 }
  lab.acknowledge()
  lab.inFlight = {}
  lab.settle()
  t.match(lab.operation(operation), { status: 'Succeeded', drained: 3 })
})
