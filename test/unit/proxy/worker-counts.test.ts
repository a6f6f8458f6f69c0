import t from 'tap'
import { WorkerCounts, type Counting } from '../../../proxy/holder/worker-counts.ts'
import { LedgerCopy } from '../../../proxy/ledger/ledger-copy.ts'
import { emptyRow } from '../../../src/model/ledger-row.ts'

const ROW = emptyRow('app/production/web/http', 'd1', '1.0.0')

void t.test('what a worker said before its end counts, also where it is heard after that', t => {
  const counts = new WorkerCounts()
  const worker = { inFlight: { a: 2 }, ledger: new LedgerCopy(), readings: {} } satisfies Counting
  counts.started(worker)
  worker.ledger.hear({ rows: [{ ...ROW, arrived: 3, answered: 1 }], forgotten: [] })
  t.same(counts.totals(), { inFlight: { a: 2 }, rows: [{ ...ROW, arrived: 3, answered: 1 }] })
  counts.ended(worker)
  t.same(counts.totals(), { inFlight: {}, rows: [{ ...ROW, arrived: 3, answered: 1 }] }, 'nothing is lost meanwhile')
  worker.ledger.hear({ rows: [{ ...ROW, arrived: 4, answered: 3 }], forgotten: [] })
  const late: Counting = { ...worker, readings: { connectFailures: { '': 5 }, connections: { '': 7 } } }
  Object.assign(worker, { readings: late.readings })
  t.same(counts.metrics({}), { connectFailures: { '': 5 } })
  counts.heardOut(worker)
  t.same(counts.totals().rows, [{ ...ROW, arrived: 4, answered: 3, broken: { 'proxy-died': 1 } }])
  t.same(counts.metrics({}), { connectFailures: { '': 5 } })
  t.end()
})

void t.test('the place of one that has ended is taken at once', t => {
  const counts = new WorkerCounts()
  const worker = (): Counting => ({ inFlight: {}, ledger: new LedgerCopy(), readings: { workerCpu: { '': 1 } } })
  const [first, second, third] = [worker(), worker(), worker()]
  counts.started(first)
  counts.started(second)
  counts.ended(first)
  counts.started(third)
  t.same(counts.metrics({}), { workerCpu: { 0: 1, 1: 1 } })
  t.end()
})
