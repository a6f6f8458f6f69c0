import t from 'tap'
import { countOf, quantileMs } from '../../../src/core/histogram.ts'
import {
  addRows,
  emptyRow,
  openOf,
  rowKey,
  subtractRows,
  sumRows,
  type LedgerRow,
} from '../../../src/model/ledger-row.ts'
import { Account } from '../../../proxy/ledger/account.ts'
import { KeptRows } from '../../../proxy/ledger/kept-rows.ts'
import { Ledger } from '../../../proxy/ledger/ledger.ts'
import { LedgerCopy } from '../../../proxy/ledger/ledger-copy.ts'
import { NamedRows } from '../../../proxy/ledger/named-rows.ts'
import { listener, pool, table, target } from '../../integration/proxy/support.ts'
import { PoolState } from '../../../proxy/routing/pool-state.ts'
import { TargetState } from '../../../proxy/routing/target.ts'

const VIP = 'app/production/web/http'
const HOUR = 3_600_000
const row = (change: Partial<LedgerRow>): LedgerRow => ({ ...emptyRow(VIP, 'd1', '1.0.0'), ...change })
const openIn = (rows: readonly LedgerRow[]): number => rows.reduce((count, each) => count + openOf(each), 0)
const at = (rows: readonly LedgerRow[], key: string): LedgerRow | undefined =>
  rows.find(each => rowKey(each) === key.replaceAll(' ', '\n'))

/** A table in which the VIP of `app` goes to these versions of deployment `d<n>`. */
function named(...versions: [deployment: string, version: string][]): NamedRows {
  const pools = versions.map(([deployment, version]) =>
    pool([target({ port: 1 }, { version })], { key: `${deployment}/${version}`, deployment }),
  )
  return new NamedRows(table(pools, { listeners: [listener()] }))
}

void t.test('rows add up and take apart, whatever is in them', t => {
  const ledger = new Ledger()
  const counted = ledger.row(VIP, 'd1', '1.0.0')
  counted.add(0)
  counted.add(1)
  counted.took(3, 1)
  counted.status(204, false)
  counted.bytes(10, 20)
  const first = counted.read()
  t.match(first, { arrived: 1, answered: 1, answers: { statuses: [0, 1, 0, 0, 0], bytesIn: 10, bytesOut: 20 } })
  counted.add(0)
  counted.broken('timeout')
  counted.status(504, true)
  counted.took(100, 50)
  const second = counted.read()
  t.match(second.answers, { own: [0, 0, 0, 0, 1], duration: { sumUs: 103_000 }, firstByte: { sumUs: 51_000 } })
  const between = subtractRows(second, first)
  t.match(between, { arrived: 1, answered: 0, broken: { timeout: 1 } })
  t.equal(countOf(between.answers?.duration.buckets ?? []), 1)
  t.equal(quantileMs(between.answers?.duration.buckets ?? [], 0.5), 104)
  t.strictSame(addRows(first, between), second)
  t.strictSame(sumRows([[first], [between]]), [second])
  t.notOk('answers' in addRows(row({}), row({})), 'nothing is said where nothing was answered')
  t.end()
})

void t.test('what a dead worker had open becomes broken, and sums keep the identity', t => {
  const copy = new LedgerCopy()
  // Three arrived while held; two of them ended elsewhere.
  const rows = [
    row({ deployment: '', version: '', arrived: 3, held: 3, heldMaxMs: 7 }),
    row({ arrived: 4, answered: 5, broken: { timeout: 1 } }),
  ]
  t.equal(openIn(rows), 1)
  t.same(copy.hear({ rows, forgotten: [] }), [])
  const closed = copy.close()
  t.equal(openIn(closed), 0)
  t.same(closed[0]?.broken, { 'proxy-died': 1 })
  const sum = sumRows([rows, closed])
  t.equal(openIn(sum), 1)
  t.match(sum[0], { arrived: 6, held: 6, heldMaxMs: 7, broken: { 'proxy-died': 1 } })
  t.end()
})

void t.test('a worker that forgot rows and dies has exactly what is open broken', t => {
  const copy = new LedgerCopy()
  const waiting = row({ deployment: '', version: '', arrived: 3 })
  const ended = row({ answered: 2 })
  const given = copy.hear({ rows: [waiting, ended], forgotten: [rowKey(ended)] })
  t.same(given, [ended])
  t.equal(openIn([...given, ...copy.close()]), 0)
  t.equal(
    copy.close().reduce((count, each) => count + (each.broken['proxy-died'] ?? 0), 0),
    1,
  )

  // Replayed: arrived in a row that was forgotten, still open in one that counts nothing of it yet.
  const other = new LedgerCopy()
  const arrived = row({ arrived: 2 })
  const kept = other.hear({ rows: [arrived, row({ version: '2.0.0', answered: 1 })], forgotten: [rowKey(arrived)] })
  t.equal(openIn([...kept, ...other.close()]), 0)
  t.end()
})

void t.test('a ledger tells what changed, and forgets what no table names once nobody counts there', t => {
  const ledger = new Ledger()
  const state = new TargetState(target({ port: 1 }), new PoolState(pool([]), 1))
  const account = new Account(ledger, performance.now())
  account.vip = VIP
  account.chosen(state, 1)
  const before = named(['d1', '1.0.0'])
  t.match(ledger.tell(before), { rows: [{ arrived: 1 }], forgotten: [] })
  t.same(ledger.tell(before), { rows: [], forgotten: [] }, 'nothing changed')

  const after = named(['d2', '1.0.0'])
  t.same(ledger.tell(after), { rows: [], forgotten: [] }, 'a request still counts in it')
  account.ended('drain-deadline')
  t.match(ledger.tell(after), { rows: [{ broken: { 'drain-deadline': 1 } }], forgotten: [`${VIP}\nd1\n1.0.0`] })
  t.same(ledger.snapshot(), [])
  t.equal(ledger.row(VIP, 'd1', '1.0.0').read().arrived, 0, 'it begins anew')
  t.end()
})

void t.test('kept rows are folded after an hour, without losing a count', t => {
  const kept = new KeptRows()
  kept.add([row({ arrived: 5, answered: 5 }), row({ deployment: 'd2', arrived: 7, answered: 7 })])
  kept.add([row({ deployment: '', version: '', arrived: 1, refused: 1 })])
  const now = named(['d2', '1.0.0'])
  kept.tidy(now, [], 0)
  kept.tidy(now, [], HOUR - 1)
  t.equal(at(kept.rows, `${VIP} d1 1.0.0`)?.arrived, 5, 'told apart for an hour')
  kept.tidy(now, [row({})], HOUR)
  t.ok(at(kept.rows, `${VIP} d1 1.0.0`), 'not while a worker still counts in it')
  kept.tidy(now, [], HOUR)
  kept.tidy(now, [], 2 * HOUR)
  t.notOk(at(kept.rows, `${VIP} d1 1.0.0`))
  t.match(at(kept.rows, `${VIP} * `), { arrived: 5, answered: 5 })
  t.equal(at(kept.rows, `${VIP} d2 1.0.0`)?.arrived, 7)

  // The VIP goes, its service stays; then the service goes too.
  const other = new NamedRows(table([], { listeners: [listener({ key: 'app/production/api/http' })] }))
  kept.tidy(other, [], 2 * HOUR)
  kept.tidy(other, [], 3 * HOUR)
  t.strictSame(kept.rows, [{ ...emptyRow('app/*', '*', ''), arrived: 13, answered: 12, refused: 1 }])
  kept.tidy(other, [], 9 * HOUR)
  t.equal(kept.rows.length, 1)
  const nothing = new NamedRows(table([], { listeners: [] }))
  kept.tidy(nothing, [], 9 * HOUR)
  kept.tidy(nothing, [], 10 * HOUR)
  t.same(kept.rows, [])
  t.end()
})

void t.test('however many deployments come and go, at most 200 rows of gone ones are kept', t => {
  const kept = new KeptRows()
  for (let n = 0; n < 1000; n++) {
    kept.add([row({ deployment: `d${n}`, arrived: 1, answered: 1 })])
    kept.tidy(named([`d${n}`, '1.0.0']), [], n)
  }
  t.ok(kept.rows.length <= 202, `${kept.rows.length} rows`)
  t.equal(
    kept.rows.reduce((sum, each) => sum + each.arrived, 0),
    1000,
  )
  t.ok(at(kept.rows, `${VIP} d900 1.0.0`), 'the latest are told apart')
  t.end()
})
