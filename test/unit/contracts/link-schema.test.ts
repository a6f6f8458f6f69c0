import t from 'tap'
import { readLinkMessage } from '../../../src/contracts/link-schema.ts'
import { VipswapError } from '../../../src/core/errors.ts'
import type { FromAgent, FromProxy } from '../../../src/contracts/link.ts'
import type { InstanceObservation } from '../../../src/contracts/assignment.ts'
import { emptyRow, NO_ANSWERS } from '../../../src/model/ledger-row.ts'

const revision = { term: 1, n: 2 }
const instance: InstanceObservation = {
  key: 'd1/web_IN_0',
  incarnation: 1,
  spec: 's',
  attempt: 1,
  state: 'ready',
  version: '1.0.0',
  host: '127.0.0.1',
  ports: { http: 20_000 },
  pid: 10,
  restarts: 0,
  storage: { data: 5 },
  since: 1.5,
  detail: 'HTTP 200',
}
const row = { ...emptyRow('g/production/web/http', 'd1', '1.0.0'), broken: { timeout: 1 }, answers: NO_ANSWERS }
const status = { revision, inFlight: { 'd1/web_IN_0/http': 2 }, ledger: { incarnation: 'p-1', rows: [row] } }
const node = { cores: 2, memoryBytes: 1e9, host: '127.0.0.1', faultDomain: null, upgradeDomain: 0, confines: ['users'] }
const agentHello: FromAgent = {
  type: 'hello',
  peer: 'agent',
  id: 'n-0',
  incarnation: 'a-1',
  bootId: 'b',
  applied: null,
  node,
}
const proxyHello: FromProxy = {
  type: 'hello',
  peer: 'proxy',
  id: 'p',
  incarnation: 'p-1',
  bootId: 'b',
  applied: revision,
  predecessors: [{ incarnation: 'p-0', exited: false }],
}
const digest = 'ab'.repeat(32)
const OF_AGENT: FromAgent[] = [
  agentHello,
  { type: 'observed', revision: null, instances: [instance], packages: [digest], packageErrors: { [digest]: 'no' } },
  { type: 'metrics', readings: { starts: { '': 1 }, lag: { '': 0.1 } } },
  { type: 'refused', revision, applied: revision },
  { type: 'log', request: 'log-1', text: 'a' },
  { type: 'log-end', request: 'log-1', error: null },
]
const OF_PROXY: FromProxy[] = [
  proxyHello,
  { type: 'ack', revision, listeners: [{ key: 'k', port: null, error: 'EADDRINUSE' }], status },
  { type: 'status', status },
  { type: 'metrics', readings: { connections: { '': 0 } } },
  { type: 'predecessor', incarnation: 'p-0', exited: true },
  { type: 'refused', revision, applied: revision },
]

t.test('what peers say is read, with what later versions add to it', async t => {
  for (const message of OF_AGENT) t.strictSame(readLinkMessage({ ...message }, 'agent'), message, message.type)
  for (const message of OF_PROXY) t.strictSame(readLinkMessage({ ...message }, 'proxy'), message, message.type)
  t.doesNotThrow(() => readLinkMessage({ ...agentHello, later: 1 }, null))
})

t.test('a hello comes first, and each kind says its own', async t => {
  t.throws(() => readLinkMessage(OF_AGENT[1], null), { code: 'invalid_request', message: /begin with the hello/ })
  t.throws(() => readLinkMessage(OF_PROXY[1], 'agent'), { message: 'it is no message of an agent: "ack"' })
  for (const value of [null, 1, 'x', [], {}, { type: 5 }, { type: 'toString' }, { type: '__proto__' }])
    for (const from of ['agent', 'proxy', null] as const)
      t.throws(() => readLinkMessage(value, from), { code: 'invalid_request' }, JSON.stringify(value))
})

/** The same value with one place in it changed to another, once for each place and each other value. */
function* broken(value: unknown, others: readonly unknown[]): Generator<[string, unknown]> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    const put = (other: unknown): unknown =>
      Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other }
    for (const other of others) yield [`${key} = ${String(other)}`, put(other)]
    for (const [where, other] of broken(inner, others)) yield [`${key}.${where}`, put(other)]
  }
}

t.test('no field of any message may be a function of nothing, a list in a list, or no number at all', async t => {
  const never = [[[]], Number.NaN, undefined]
  const taken: string[] = []
  let count = 0
  for (const [messages, from] of [[OF_AGENT, 'agent'] as const, [OF_PROXY, 'proxy'] as const]) {
    for (const message of messages) {
      for (const [where, value] of broken(message, never)) {
        // What may be left out may be undefined, which JSON leaves out.
        if (/(^|\.)(spec|storage|answers|confines|timeout) = undefined$/.test(where)) continue
        count += 1
        try {
          readLinkMessage(value, from)
          taken.push(`${message.type}: ${where}`)
        } catch (error) {
          if (!(error instanceof VipswapError)) taken.push(`${message.type}: ${where}: ${String(error)}`)
        }
      }
    }
  }
  t.strictSame(taken, [])
  t.ok(count > 200, `${count}`)
})

t.test('names that objects inherit, numbers beyond the exact ones, and ports that are none are refused', async t => {
  const from = (text: string): unknown => JSON.parse(text)
  const hello = JSON.stringify(proxyHello)
  const observed = JSON.stringify(OF_AGENT[1])
  const wrong: [unknown, 'proxy' | 'agent' | null][] = [
    [from(hello.replace('"p-1"', '"constructor"')), null],
    [from(hello.replace('"p-1"', '"__proto__"')), null],
    [from(hello.replace('"p-0"', '"toString"')), null],
    [from(hello.replace('"p"', '"../p"')), null],
    [from(hello.replace('"term":1', '"term":1e300')), null],
    [from(hello.replace('"term":1', '"term":-1')), null],
    [from(hello.replace('"n":2', '"n":1e999')), null],
    [from(observed.replace('"http":20000', '"__proto__":20000')), 'agent'],
    [from(observed.replace('"http":20000', '"http":65536')), 'agent'],
    [from(observed.replace('d1/web_IN_0', 'constructor')), 'agent'],
    [from(observed.replace('"ready"', '"dancing"')), 'agent'],
    [from(observed.replaceAll(digest, '../../x')), 'agent'],
  ]
  for (const [value, kind] of wrong) t.throws(() => readLinkMessage(value, kind), { code: 'invalid_request' })
})

t.test('a fault is told with its place', async t => {
  t.throws(() => readLinkMessage({ ...OF_AGENT[1], instances: [{ ...instance, pid: 'x' }] }, 'agent'), {
    message: /^"observed" of an agent: \/instances\/0\/pid /,
  })
})

t.test('a thousand instances are checked in a few milliseconds', async t => {
  const instances = Array.from({ length: 1000 }, (_, n) => ({ ...instance, key: `d1/web_IN_${n}` }))
  const message = { ...OF_AGENT[1], instances }
  for (let warm = 0; warm < 20; warm += 1) readLinkMessage(message, 'agent')
  const before = process.cpuUsage()
  for (let n = 0; n < 10; n += 1) readLinkMessage(message, 'agent')
  const { user, system } = process.cpuUsage(before)
  const ms = (user + system) / 1000 / 10
  t.comment(`${ms.toFixed(2)} ms`)
  t.ok(ms < 20, `${ms} ms`)
})
