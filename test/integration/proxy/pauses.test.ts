import t, { type Test as TapTest } from 'tap'
import type { Listener, RoutingTable } from '../../../src/contracts/routing.ts'
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
  startPlane,
  statusOf,
  table,
  target,
} from './support.ts'
import type { Origin, RawClient, TestPlane } from './support.ts'

const get = (path: string, method = 'GET'): string => `${method} ${path} HTTP/1.1\r\nHost: app.localhost\r\n\r\n`
const pausedFor = (leftMs: number, at = Date.now()): Partial<Listener> => ({ paused: { until: at + leftMs, leftMs } })
const MINUTE = 60_000

type Test = Parameters<typeof rawClient>[0]

async function rig(
  t: Test,
  change: Partial<Listener> = pausedFor(MINUTE),
  limits: Partial<RoutingTable['limits']> = {},
) {
  const origin = await answering(t, () => ok('hello'))
  const tableOf = (how: Partial<Listener>): RoutingTable =>
    table([pool([target(origin)])], { listeners: [listener(how)], limits })
  const test = await startPlane(t, tableOf(change))
  return { ...test, origin, tableOf, resume: () => test.plane.apply(tableOf({})) }
}

async function held({ plane, port }: TestPlane, t: Test, paths: readonly string[]): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (const path of paths) {
    const before = plane.hold.size
    clients.push(await rawClient(t, port, get(path)))
    await until(`${path} is held`, () => plane.hold.size === before + 1)
  }
  return clients
}

const pathsOf = (origin: Origin): string[] =>
  [...origin.received.join('').matchAll(/^GET (\S+)/gm)].map(([, path]) => path ?? '')

/** It adds up: whatever arrived has ended or is open. */
function adds(t: TapTest, { rows, plane }: TestPlane, counts: Record<string, unknown>): void {
  t.match(rows(), counts)
  t.equal(open(plane), 0, 'nothing is open')
}

t.test('a paused address holds what arrives; resumed, it lets all of it go, the first first', async t => {
  const test = await rig(t)
  const clients = await held(test, t, ['/1', '/2', '/3'])
  t.strictSame(test.origin.received, [], 'no instance has seen any')
  t.match(test.rows(), { arrived: 3, held: 3, answered: 0 })
  test.resume()
  for (const client of clients) t.equal(statusOf(await client.until(isWhole)), 200)
  t.strictSame(pathsOf(test.origin), ['/1', '/2', '/3'])
  t.equal(statusOf(await ask(t, test.port, get('/4'))), 200)
  adds(t, test, { arrived: 4, held: 3, answered: 4, refused: 0 })
})

t.test('nobody has to say that it is over: a worker lets go at the deadline', async t => {
  const test = await rig(t)
  const [client] = await held(test, t, ['/'])
  const begun = performance.now()
  test.plane.apply(test.tableOf(pausedFor(300)))
  t.equal(statusOf((await client?.until(isWhole)) ?? ''), 200)
  t.ok(performance.now() - begun >= 290, 'not before')
  t.equal(statusOf(await ask(t, test.port, get('/'))), 200, 'the table still says that it is paused')
  adds(t, test, { arrived: 2, held: 1, answered: 2 })
  t.ok(test.rows().heldMaxMs > 0)
})

t.test('a table that comes late, from disk or to a new worker, holds no longer than the wall clock says', async t => {
  const test = await rig(t, pausedFor(MINUTE, Date.now() - MINUTE))
  t.equal(statusOf(await ask(t, test.port, get('/'))), 200)
  adds(t, test, { arrived: 1, held: 0, answered: 1 })
})

t.test('a clock that was set back does not make it longer', async t => {
  const test = await rig(t, { paused: { until: Date.now() + MINUTE, leftMs: 0 } })
  t.equal(statusOf(await ask(t, test.port, get('/'))), 200)
})

t.test('one who has waited longer than holdTimeout may still wait for an instance', async t => {
  const limits = { holdTimeoutMs: MINUTE }
  const test = await rig(t, pausedFor(MINUTE), limits)
  const [client] = await held(test, t, ['/'])
  test.plane.hold.expireAt(performance.now() + 2 * MINUTE, test.plane.snapshot.limits)
  t.notOk(client?.text, 'it is held all the same')
  const starting = pool([], { expecting: true })
  test.plane.apply(table([starting], { limits }))
  t.equal(test.plane.hold.size, 1, 'it waits for an instance now')
  test.plane.apply(table([pool([target(test.origin)])], { limits }))
  t.equal(statusOf((await client?.until(isWhole)) ?? ''), 200)
  adds(t, test, { arrived: 1, held: 1, answered: 1, broken: {} })
})

t.test('holding is bounded in count and in bytes', async t => {
  const test = await rig(t, pausedFor(MINUTE), { holdMax: 2 })
  const clients = await held(test, t, ['/1', '/2'])
  t.match(await ask(t, test.port, get('/3')), /^HTTP\/1\.1 503 [^]*this address is paused and too many requests wait/)
  test.resume()
  for (const client of clients) t.equal(statusOf(await client.until(isWhole)), 200)
  adds(t, test, { arrived: 3, held: 2, answered: 2, broken: { 'hold-full': 1 } })

  const small = await rig(t, pausedFor(MINUTE), { holdBytes: 100 })
  t.match(await ask(t, small.port, get(`/${'x'.repeat(200)}`)), /^HTTP\/1\.1 503 /)
})

t.test('an outer balancer is answered by the proxy, and only while it is paused', async t => {
  const test = await rig(t, pausedFor(MINUTE), { balancerHealthPath: '/up' })
  t.match(
    await ask(t, test.port, get('/up')),
    /^HTTP\/1\.1 200 OK\r\n[^]*Proxy-Status: vipswap\r\n[^]*the proxy is well/,
  )
  t.match(await ask(t, test.port, get('/up?from=lb')), /^HTTP\/1\.1 200 /)
  const head = await rawClient(t, test.port, get('/up', 'HEAD'))
  t.match(await head.until(text => text.includes('\r\n\r\n')), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/)
  const others = await held(test, t, ['/upper', '/'])
  const post = await rawClient(t, test.port, `POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`)
  await until('it is held', () => test.plane.hold.size === 3)
  t.match(test.rows(), { refused: 3, held: 3 })
  test.resume()
  for (const client of [...others, post]) t.equal(statusOf(await client.until(isWhole)), 200)
  t.match(await ask(t, test.port, get('/up')), /hello$/, 'afterwards it is asked of the instance')
  adds(t, test, { arrived: 7, refused: 3, answered: 4, held: 3, answers: { own: [0, 3, 0, 0, 0] } })
})

t.test('a client that leaves while it is held is counted as gone', async t => {
  const test = await rig(t)
  const [client] = await held(test, t, ['/'])
  client?.socket.resetAndDestroy()
  await until('its place is free', () => test.plane.hold.size === 0)
  adds(t, test, { arrived: 1, held: 1, clientGone: 1, answered: 0 })
  t.strictSame(test.origin.received, [])
})

t.test('what was on its way is finished; what is replayed waits', async t => {
  const origin = await answering(t, () => ok('late'))
  const test = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, test.port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhal')
  await until('it is at its instance', () => origin.received.join('').includes('hal'))
  test.plane.apply(table([pool([target(origin)])], { listeners: [listener(pausedFor(MINUTE))] }))
  client.send('lo')
  t.equal(statusOf(await client.until(isWhole)), 200)
})

t.test('the other slot goes on; a swap moves no pause', async t => {
  const [blue, green] = [await answering(t, () => ok('blue')), await answering(t, () => ok('green'))]
  const pools = [
    pool([target(blue)], { key: 'd1/web/http' }),
    pool([target(green, { key: 'd2/web_IN_0#1.1' })], { key: 'd2/web/http', deployment: 'd2' }),
  ]
  const staging = { key: 'app/staging/web/http', slot: 'staging', port: 2 } as const
  const tableOf = (production: string, other: string): RoutingTable =>
    table(pools, {
      listeners: [listener({ pool: production, ...pausedFor(MINUTE) }), listener({ ...staging, pool: other })],
    })
  const test = await startPlane(t, tableOf('d1/web/http', 'd2/web/http'))
  const other = await test.listen('127.0.0.1:2')
  const [client] = await held(test, t, ['/'])
  t.match(await ask(t, other, get('/')), /green$/)
  test.plane.apply(tableOf('d2/web/http', 'd1/web/http'))
  t.match(await ask(t, other, get('/')), /blue$/)
  t.equal(test.plane.hold.size, 1, 'it is held over the swap')
  test.plane.apply(table(pools, { listeners: [listener({ pool: 'd2/web/http' })] }))
  t.match(await client?.until(isWhole), /green$/, 'and served by the new side')
})

t.test('a connection to a tcp endpoint is held as well', async t => {
  const test = await rig(t, { protocol: 'tcp', ...pausedFor(MINUTE) })
  const client = await rawClient(t, test.port, get('/tcp'))
  await until('it is held', () => test.plane.hold.size === 1)
  test.plane.apply(test.tableOf({ protocol: 'tcp' }))
  t.match(await client.until(isWhole), /hello$/)
})
