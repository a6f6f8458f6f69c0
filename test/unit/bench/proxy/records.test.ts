import t from 'tap'
import { PacedRecords, parsePaced } from '../../../../bench/proxy/paced.ts'
import { summariseProfile } from '../../../../bench/proxy/profile-summary.ts'
import { quantileSorted } from '../../../../bench/proxy/statistics.ts'
import { summariseSwaps } from '../../../../bench/proxy/swap-summary.ts'

type Request = [dueAt: number, latency: number, label: string]

function records(...requests: Request[]): PacedRecords {
  return new PacedRecords(
    Float64Array.from(
      requests.flatMap(([due, latency, label]) => [due, latency, label === '' ? 0 : label.charCodeAt(0)]),
    ),
  )
}

void t.test('records as the paced client writes them', async t => {
  const written = Buffer.from(Float64Array.from([10, 0.5, 65, 11, 7, 0, 9, 0.25, 45]).buffer)
  const read = parsePaced(written)
  t.equal(read.length, 3)
  t.same(
    [0, 1, 2].map(index => read.label(index)),
    ['A', '', '-'],
  )
  t.equal(read.failed, 1)
  t.equal(read.beganAt, 9)
  t.same([...read.latencies()], [0.25, 0.5], 'sorted, without the failed one')
  t.same([...read.latencies(10, 11)], [0.5])
  t.throws(() => parsePaced(written.subarray(1)), /71 bytes are no records/)
})

void t.test('a quantile of sorted values', async t => {
  const values = Float64Array.from({ length: 1000 }, (_, index) => index)
  t.equal(quantileSorted(values, 0.999), 999)
  t.equal(quantileSorted(values, 0.5), 500)
  t.ok(Number.isNaN(quantileSorted(new Float64Array(0), 0.5)))
})

void t.test('swaps: the second before, the second around, what was due meanwhile, and who answered', async t => {
  const swaps = [
    { pushedAt: 2000, acknowledgedAt: 2010, to: 'B' },
    { pushedAt: 4000, acknowledgedAt: 4030, to: 'A' },
  ]
  const summary = summariseSwaps(
    records(
      [400, 99, 'A'], // Before anything that counts.
      [600, 1, 'A'],
      [1400, 2, 'A'],
      [1600, 3, 'A'],
      [2005, 8, 'A'], // Due during the swap: either side is right.
      [2011, 4, 'A'], // After the acknowledgement, by the old side.
      [2012, 4, 'B'],
      [2900, 2, 'B'],
      [3995, 10, 'A'], // Still on its way when the next table came.
      [4031, 5, ''], // Lost.
      [4032, 5, 'A'],
    ),
    swaps,
  )
  t.same(summary, { before: 2, around: 10, switchMs: 20, holdP99: 8, failed: 1, wrongSide: 1 })
})

void t.test('a profile by function: self time, the same function once, idle time left out', async t => {
  const frame = (functionName: string, url = '', lineNumber = -1): object => ({ functionName, url, lineNumber })
  const nodes = [
    { id: 1, callFrame: frame('(idle)') },
    { id: 2, callFrame: frame('write') },
    { id: 3, callFrame: frame('parse', 'file:///somewhere/dist/proxy/http1/head.js', 11) },
    { id: 4, callFrame: frame('parse', 'file:///somewhere/dist/proxy/http1/head.js', 11) },
    { id: 5, callFrame: frame('', 'node:net', 4) },
  ]
  const profile = { nodes, samples: [1, 2, 3, 4, 5, 2], timeDeltas: [1000, 50, 10, 20, 5, 15] }
  t.same(summariseProfile(profile as Parameters<typeof summariseProfile>[0]), [
    { name: 'write', where: '', microseconds: 65, share: 0.65 },
    { name: 'parse', where: 'proxy/http1/head.js:12', microseconds: 30, share: 0.3 },
    { name: '(anonymous)', where: 'node:net:5', microseconds: 5, share: 0.05 },
  ])
})
