import t from 'tap'
import { addedFields } from '../../../../bench/proxy/check-peer.ts'
import { parseCpuList } from '../../../../bench/proxy/cores.ts'
import { helpText, readOptions } from '../../../../bench/proxy/options.ts'
import { interleave } from '../../../../bench/proxy/rounds.ts'
import { median, ratio } from '../../../../bench/proxy/statistics.ts'
import { judge, verdictText } from '../../../../bench/proxy/targets.ts'
import { cpuBetween, parseCore } from '../../../../bench/proxy/usage.ts'
import { parseWrk } from '../../../../bench/proxy/wrk.ts'

void t.test('median', async t => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 2, 3]), 2.5)
  t.ok(Number.isNaN(median([])))
})

void t.test('a ratio is taken round by round: what slows both alike does not change it', async t => {
  t.equal(ratio([20, 60, 22], [10, 30, 11]), 2)
  t.equal(ratio([20, 60, 33], [10, 20, 11]), 3)
  t.ok(Number.isNaN(ratio([20], [])))
  t.ok(Number.isNaN(ratio([], [20])))
})

void t.test('CPU between two readings counts threads that began meanwhile', async t => {
  const before = new Map([
    [1, 100],
    [2, 50],
  ])
  const after = new Map([
    [1, 130],
    [3, 7],
  ])
  t.equal(cpuBetween(before, after), 37)
})

void t.test('how busy a core was, as the kernel counts', async t => {
  const stat = 'cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 3 40 50 6 7 8 0 0\ncpu10 1 0 0 1 0 0 0 0 0 0\n'
  t.same(parseCore(stat, 0), { busy: 27, all: 117 })
  t.same(parseCore(stat, 10), { busy: 1, all: 2 })
})

void t.test('a list of cores as the kernel writes it', async t => {
  t.same(parseCpuList('0-2,5'), [0, 1, 2, 5])
  t.same(parseCpuList('3'), [3])
  t.same(parseCpuList(''), [])
})

void t.test('rounds: one to warm up, then all in turn, every other round backwards', async t => {
  const order: string[] = []
  const samples = await interleave(['a', 'b'], 2, async (peer, round) => {
    order.push(`${peer}${round}`)
    return round
  })
  t.same(order, ['a0', 'b0', 'b1', 'a1', 'a2', 'b2'])
  t.same(
    [...samples],
    [
      ['a', [1, 2]],
      ['b', [1, 2]],
    ],
  )
})

void t.test('what wrk counted, from the line its script writes', async t => {
  const said = { requests: 1000, microseconds: 2_000_000, bytes: 5, badStatus: 10, socketErrors: 3, p50us: 1, p99us: 2 }
  const output = `Running 2s test\n  1000 requests in 2.00s\nRESULT ${JSON.stringify(said)}\n`
  t.same(parseWrk(output), { requests: 990, seconds: 2, errors: 13 })
  t.throws(() => parseWrk('unable to connect'), /unable to connect/)
})

void t.test('the fields that a peer added', async t => {
  const head = 'GET /head HTTP/1.1\r\nHost: a\r\nVia: 1.1 x\r\nConnection: close\r\nX-Forwarded-For: ::1\r\n'
  t.same(addedFields(head), ['via', 'x-forwarded-for'])
})

void t.test('verdicts say target, value and whether it is met', async t => {
  const target = { what: 'CPU per request', to: 'nginx', atMost: 1.15 }
  t.equal(verdictText(judge(target, 1.07)), 'CPU per request: target ≤ 1.15 × nginx: 1.07 met')
  t.equal(verdictText(judge(target, 1.2)), 'CPU per request: target ≤ 1.15 × nginx: 1.20 MISSED')
  t.equal(verdictText(judge(target, Number.NaN)), 'CPU per request: target ≤ 1.15 × nginx: not measured')
  const alone = { what: 'RSS', to: null, atMost: 60, unit: 'MB' }
  t.equal(verdictText(judge(alone, 41)), 'RSS: target ≤ 60 MB: 41.00 met')
})

void t.test('options', async t => {
  const read = (...args: string[]): ReturnType<typeof readOptions> => readOptions(args, ['x', 'y'], ['nginx', 'floor'])
  t.match(read(), { only: ['x', 'y'], peers: ['nginx', 'floor'], rounds: 5, seconds: 3, strict: false })
  t.match(read('--quick', '--only', 'y'), { only: ['y'], rounds: 2, seconds: 1 })
  t.match(read('--quick', '--rounds', '7', '--peers', 'floor,nginx'), { rounds: 7, peers: ['floor', 'nginx'] })
  t.equal(read('--help'), null)
  t.throws(() => read('--only', 'z'), /no workload z; there are: x, y/)
  t.throws(() => read('--peers', 'ngnix'), /no peer ngnix/)
  t.throws(() => read('--rounds', '0'), /not a count: 0/)
  t.match(helpText([{ name: 'x', title: 'the x' }], ['nginx']), /x {2}the x/)
})
