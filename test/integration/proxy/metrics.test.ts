import t from 'tap'
import { metricsOver } from '../../support/metrics.ts'
import { PLANE_METRICS } from '../../../src/contracts/plane-metrics.ts'
import { DEFAULT_LIMITS, DEFAULT_OPTIONS, DEFAULT_POLICY } from '../../../src/contracts/routing.ts'
import { emptyState, type FabricState } from '../../../src/fabric/state.ts'
import { emptyRow, foldedRow, type LedgerRow } from '../../../src/model/ledger-row.ts'
import { ProxyMetrics } from '../../../proxy/metrics/proxy-metrics.ts'
import { PlaneMetrics } from '../../../proxy/metrics/plane-metrics.ts'
import { parsePrometheus, type Family } from '../../support/prometheus.ts'
import { until } from '../../support/until.ts'
import {
  answering,
  ask,
  isWhole,
  listener,
  ok,
  open,
  pool,
  rawClient,
  startOrigin,
  startPlane,
  table,
  target,
  type TestPlane,
} from './support.ts'

const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3\r\n\r\nabc'

function stateOf(...rows: LedgerRow[]): FabricState {
  const settings = {
    vips: null,
    services: {},
    limits: DEFAULT_LIMITS,
    endpointDefaults: { maxBodyBytes: null, ejection: DEFAULT_POLICY.ejection },
    sizes: {},
    quota: null,
    nodeTimeoutMs: 300_000,
    portRange: { from: 1, to: 2 },
  }
  const status = { revision: { term: 1, n: 1 }, inFlight: { 'd1/web_IN_0#1.1': 2 }, ledger: { incarnation: 'p', rows } }
  const proxy = { online: true, acknowledged: null, listeners: [], status }
  return { ...emptyState('f', settings), observed: { nodes: {}, proxies: { p: proxy } } }
}

async function scrape({ plane }: TestPlane): Promise<Map<string, Family>> {
  const readings = new ProxyMetrics().total([{ worker: 0, readings: plane.metrics.read() }], [], {})
  const { registry } = metricsOver(() => stateOf(...plane.ledger.snapshot()), {
    planes: [{ proxy: 'proxy-0', readings }],
  })
  return parsePrometheus(await registry.metrics())
}

function sum(families: Map<string, Family>, name: string, labels: Record<string, string> = {}): number {
  const family = families.get(name.replace(/_(bucket|count|sum)$/, '')) ?? families.get(name)
  return (family?.samples ?? [])
    .filter(
      sample => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )
    .reduce((total, { value }) => total + value, 0)
}

void t.test('what is scraped is what the clients saw', async t => {
  const origin = await answering(t, ok('hello'))
  const test = await startPlane(t, table([pool([target(origin, { version: '1.0.0-"\\\n' })])]))
  const { port, plane } = test
  let answered = 0
  const clients = await Promise.all(Array.from({ length: 5 }, async () => rawClient(t, port)))
  for (let n = 0; n < 20; n++) {
    for (const client of clients) {
      client.text = ''
      client.send(n % 4 === 0 ? POST : GET)
      await client.until(isWhole)
      answered++
    }
  }
  for (let n = 0; n < 3; n++) await ask(t, port, 'bad\r\n\r\n')
  await until('nothing is open', () => open(plane) === 0)
  const families = await scrape(test)
  const vip = { vip: 'app/production/web/http' }
  t.equal(sum(families, 'vipswap_requests_arrived_total', vip), answered + 3)
  t.equal(sum(families, 'vipswap_requests_total', { ...vip, outcome: 'answered' }), answered)
  t.equal(sum(families, 'vipswap_requests_total', { ...vip, outcome: 'refused' }), 3)
  t.equal(sum(families, 'vipswap_responses_total', { class: '2xx', by: 'instance' }), answered)
  t.equal(sum(families, 'vipswap_responses_total', { class: '4xx', by: 'proxy' }), 3)
  t.equal(sum(families, 'vipswap_request_body_bytes_total'), (answered / 4) * 3)
  t.equal(sum(families, 'vipswap_response_body_bytes_total'), answered * 5)
  t.equal(sum(families, 'vipswap_request_duration_seconds_count'), answered)
  t.equal(sum(families, 'vipswap_request_first_byte_seconds_count'), answered)
  const seconds = sum(families, 'vipswap_request_duration_seconds_sum')
  t.ok(seconds > 0 && seconds < 60 && seconds >= sum(families, 'vipswap_request_first_byte_seconds_sum'))
  t.equal(sum(families, 'vipswap_connections', { proxy: 'proxy-0' }), plane.connections)
  t.equal(sum(families, 'vipswap_instance_in_flight', { deployment: 'd1', instance: 'web_IN_0' }), 2)
  t.equal(
    families.get('vipswap_requests_total')?.samples.find(({ labels }) => labels['version'] !== '')?.labels['version'],
    '1.0.0-"\\\n',
  )
  for (const [name, { help }] of families) t.ok(help.length > 10, name)
})

void t.test('a histogram has each duration under its bound', async t => {
  const row = { ...emptyRow('app/production/web/http', 'd1', '1'), arrived: 3, answered: 3 }
  const durations = { sumUs: 3_000_000, buckets: [48, 1, 72, 1, 184, 1] } // 1 ms, 8 ms, above all
  const answers = {
    statuses: [0, 3, 0, 0, 0],
    own: [0, 0, 0, 0, 0],
    bytesIn: 0,
    bytesOut: 0,
    duration: durations,
    firstByte: durations,
  } as const
  const { registry } = metricsOver(() =>
    stateOf({ ...row, answers }, { ...row, deployment: 'd2', answers }, { ...foldedRow(row.vip), arrived: 9 }),
  )
  const families = parsePrometheus(await registry.metrics())
  const below = (le: string): number =>
    sum(families, 'vipswap_request_duration_seconds_bucket', { deployment: 'd1', le })
  t.same(['0.000625', '0.00125', '0.005', '0.01', '81.92', '+Inf'].map(below), [0, 1, 1, 2, 2, 3])
  t.equal(sum(families, 'vipswap_request_duration_seconds_sum', { deployment: 'd2' }), 3)
  t.equal(sum(families, 'vipswap_requests_arrived_total', { deployment: '*' }), 0, 'folded rows are no series')
})

void t.test('workers add up: counters of dead ones stay, what belongs to a process goes with it', async t => {
  const one = new PlaneMetrics()
  one.add('connectFailures', 3)
  one.add('tunnels')
  one.report('workerCpu', () => 1.5)
  one.report('connections', () => 7)
  const two = new PlaneMetrics()
  two.add('connectFailures')
  two.report('workerCpu', () => 2)
  two.report('connections', () => 1)
  const sums = new ProxyMetrics()
  const both = [one, two].map((metrics, worker) => ({ worker, readings: metrics.read() }))
  t.same(sums.total(both, [], { workerRestarts: { '': 1 } }), {
    connectFailures: { '': 4 },
    tunnels: { '': 1 },
    workerCpu: { 0: 1.5, 1: 2 },
    connections: { '': 8 },
    workerRestarts: { '': 1 },
  })
  sums.keep(one.read())
  t.same(sums.total(both.slice(1), [], {}), { connectFailures: { '': 4 }, workerCpu: { 1: 2 }, connections: { '': 1 } })
})

void t.test('a tap on a listener that is not there makes no series', async t => {
  const test = await startPlane(t, table([], { listeners: [listener({ pool: null })] }))
  await ask(t, test.port, GET.replace('/ ', '/some/random/path '))
  const families = await scrape(test)
  t.notMatch(JSON.stringify([...families]), /random/)
})

void t.test('what happens in a pool and before a request is scraped, by pool and by cause', async t => {
  const bad = await startOrigin(t, (_text, socket) => socket.resetAndDestroy())
  const good = [await answering(t, ok('good')), await answering(t, ok('good'))]
  const targets = [bad, ...good].map((origin, index) => target(origin, { name: `web_IN_${index}` }))
  const ejection = { failures: 3, baseMs: 60_000, maxShare: 0.5 }
  const policy = { ...DEFAULT_POLICY, balancing: 'round-robin', ejection } as const
  const empty = pool([], { key: 'd1/web/other', endpoint: 'other', expecting: true })
  const listeners = [
    listener(),
    listener({ key: 'other', port: 2, pool: empty.key }),
    listener({ key: 'behind', port: 3, options: { ...DEFAULT_OPTIONS, proxyProtocol: true } }),
  ]
  const test = await startPlane(t, table([pool(targets, { policy }), empty], { listeners, limits: { holdMax: 1 } }))
  const other = await test.listen('127.0.0.1:2')
  for (let n = 0; n < 9; n++) t.match(await ask(t, test.port, GET), /good$/)
  const waiting = await rawClient(t, other, POST)
  await until('it waits', () => test.plane.hold.size === 1)
  t.match(await ask(t, other, GET), /^HTTP\/1\.1 503 /)
  await ask(t, await test.listen('127.0.0.1:3'), GET)

  const families = await scrape(test)
  const read = (name: string, labels: Record<string, string>): number | undefined =>
    families
      .get(`vipswap_${name}`)
      ?.samples.find(sample => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))?.value
  const first = { proxy: 'proxy-0', pool: 'd1/web/http' }
  const second = { proxy: 'proxy-0', pool: 'd1/web/other' }
  for (const [name, value] of Object.entries({
    ready: 3,
    ejected: 1,
    ejections_total: 1,
    retries_total: 3,
    waiting: 0,
  })) {
    t.equal(read(`pool_${name}`, first), value, name)
  }
  t.same(
    ['ready', 'waiting', 'held_total', 'hold_full_total'].map(name => read(`pool_${name}`, second)),
    [0, 1, 1, 1],
  )
  t.ok(read('pool_waiting_bytes', second))
  t.equal(read('intake_failures_total', { cause: 'proxy-header' }), 1)
  waiting.socket.destroy()
})

void t.test('every count of a pool is scraped', async t => {
  const { plane } = await startPlane(t, table([pool([])]))
  const [report] = plane.pools()
  const counts = Object.values(report ?? {}).filter(value => typeof value === 'number').length
  const metrics = Object.values(PLANE_METRICS).filter(({ label }) => label === 'pool').length
  t.equal(metrics, counts)
})

void t.test('workers know of the same instances: those do not add up, what waits in each does', async t => {
  const readings = { poolReady: { p: 3 }, poolEjected: { p: 0 }, poolWaiting: { p: 2 } }
  const both = [readings, { ...readings, poolEjected: { p: 1 } }].map((each, worker) => ({ worker, readings: each }))
  t.same(new ProxyMetrics().total(both, [], {}), { poolReady: { p: 3 }, poolEjected: { p: 1 }, poolWaiting: { p: 4 } })
})
