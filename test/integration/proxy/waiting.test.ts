import type { Socket } from 'node:net'
import t from 'tap'
import { DEFAULT_POLICY, type PoolPolicy } from '../../../src/contracts/routing.ts'
import type { PoolReport } from '../../../proxy/routing/pool-state.ts'
import { DataPlane } from '../../../proxy/worker/data-plane.ts'
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
  statusOf,
  table,
  target,
  type Origin,
  type RawClient,
} from './support.ts'

const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'
const BUSY = /^HTTP\/1\.1 503 [\s\S]*Proxy-Status: vipswap; error=connection_limit_reached[\s\S]*Retry-After: 1/

type Test = Parameters<typeof startOrigin>[0]

function policy(change: Partial<PoolPolicy>): PoolPolicy {
  return { ...DEFAULT_POLICY, ...change }
}

function report(plane: DataPlane, key = 'd1/web/http'): PoolReport {
  const found = plane.pools().find(one => one.key === key)
  if (found === undefined) throw new Error(`no pool ${key}`)
  return found
}

/** An instance that keeps its requests until it is told to answer them; counts how many it has and had at once. */
class Desk {
  readonly #open: { socket: Socket; path: string }[] = []
  readonly paths: string[] = []
  most = 0
  origin: Origin | null = null

  static async at(t: Test): Promise<Desk & { origin: Origin }> {
    const desk = new Desk()
    const origin = await startOrigin(t, (text, socket, clear) => {
      if (!text.endsWith('\r\n\r\n')) return
      clear()
      const path = text.split(' ')[1] ?? ''
      desk.paths.push(path)
      desk.#open.push({ socket, path })
      desk.most = Math.max(desk.most, desk.count)
      socket.once('close', () => desk.#forget(socket))
    })
    return Object.assign(desk, { origin })
  }

  get count(): number {
    return this.#open.length
  }

  /** Answers the oldest that it has. */
  answer(count = 1): void {
    for (const { socket, path } of this.#open.splice(0, count)) socket.write(ok(`done ${path}`))
  }

  #forget(socket: Socket): void {
    const at = this.#open.findIndex(one => one.socket === socket)
    if (at !== -1) this.#open.splice(at, 1)
  }
}

async function clientsOf(t: Test, port: number, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let n = 0; n < count; n++) clients.push(await rawClient(t, port, `GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`))
  return clients
}

void t.test('an instance gets as many at once as it may, the others wait their turn', async t => {
  const desk = await Desk.at(t)
  const rules = policy({ maxConcurrent: 2, maxQueue: 3 })
  const { plane, port, rows } = await startPlane(t, table([pool([target(desk.origin)], { policy: rules })]))
  const clients: RawClient[] = []
  for (let n = 0; n < 5; n++) {
    clients.push(await rawClient(t, port, `GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`))
    await until('it came or waits', () => desk.count + plane.hold.size === n + 1)
  }
  t.match(report(plane), { queued: 3, waiting: 3, queueFull: 0, held: 0 })
  t.match(await ask(t, port, GET), BUSY)
  t.match(report(plane), { queueFull: 1 })
  clients[3]?.socket.resetAndDestroy()
  await until('its place is free', () => plane.hold.size === 2)
  for (const n of [0, 1, 2, 4]) {
    desk.answer()
    t.match(await clients[n]?.until(isWhole), new RegExp(`done /${n}$`))
  }
  t.same(desk.paths, ['/0', '/1', '/2', '/4'])
  t.equal(desk.most, 2)
  t.match(rows(), { held: 3, answered: 4, clientGone: 1, broken: { 'hold-full': 1 } })
  t.ok(rows().heldMaxMs > 0)
  t.equal(open(plane), 0)
})

void t.test('who arrives goes behind those who wait, and pipelined requests too', async t => {
  const desk = await Desk.at(t)
  const rules = policy({ maxConcurrent: 1 })
  const { plane, port } = await startPlane(t, table([pool([target(desk.origin)], { policy: rules })]))
  const [first, second] = await clientsOf(t, port, 2)
  await until('one waits', () => desk.count === 1 && plane.hold.size === 1)
  first?.send('GET /again HTTP/1.1\r\nHost: a\r\n\r\n')
  desk.answer()
  await until('the one that waited came', () => desk.paths.length === 2 && plane.hold.size === 1)
  desk.answer()
  await second?.until(isWhole)
  await until('the next came', () => desk.paths.length === 3)
  desk.answer()
  await first?.until(text => text.endsWith('done /again'))
  t.same(desk.paths, ['/0', '/1', '/again'])
})

void t.test('waiting for a free instance ends with holdTimeout; a draining one finishes what it has', async t => {
  const desk = await Desk.at(t)
  const rules = policy({ maxConcurrent: 1 })
  const limits = { holdTimeoutMs: 300 }
  const one = target(desk.origin)
  const { plane, port, rows } = await startPlane(t, table([pool([one], { policy: rules })], { limits }))
  const [first, second] = await clientsOf(t, port, 2)
  t.match(await second?.until(isWhole), BUSY)
  t.match(report(plane), { waitExpired: 1 })
  t.match(rows().broken, { 'hold-expired': 1 })

  const third = await rawClient(t, port, GET)
  await until('it waits', () => plane.hold.size === 1)
  const next = await answering(t, ok('next'))
  plane.apply(
    table([pool([{ ...one, state: 'draining', drainMs: 60_000 }, target(next, { name: 'n' })], { policy: rules })]),
  )
  t.match(await third.until(isWhole), /next$/)
  desk.answer()
  t.match(await first?.until(isWhole), /done \/0$/)
  t.equal(desk.paths.length, 1)
})

void t.test('those who wait go where a swap sends them, and a new bound holds at once', async t => {
  const desk = await Desk.at(t)
  const pools = [pool([target(desk.origin)], { policy: policy({ maxConcurrent: 1 }) })]
  const { plane, port } = await startPlane(t, table(pools))
  const clients = await clientsOf(t, port, 4)
  await until('three wait', () => plane.hold.size === 3 && desk.count === 1)
  plane.apply(table([pool([target(desk.origin)], { policy: policy({ maxConcurrent: 2 }) })]))
  await until('one more came', () => desk.count === 2)
  t.equal(plane.hold.size, 2)
  const next = await answering(t, ok('B'))
  const swapped = [...pools, pool([target(next)], { key: 'b', deployment: 'b' })]
  plane.apply(table(swapped, { listeners: [listener({ pool: 'b' })] }))
  for (const client of clients.slice(2)) t.match(await client.until(isWhole), /B$/)
  desk.answer(2)
  for (const client of clients.slice(0, 2)) t.match(await client.until(isWhole), /done/)
  t.equal(open(plane), 0)
})

void t.test('a tcp connection counts and waits as a request does', async t => {
  const line = listener({ key: 'db', protocol: 'tcp', port: 9, hostNames: [] })
  const origin = await startOrigin(t, (text, socket) => socket.write(text))
  const rules = policy({ maxConcurrent: 1 })
  const { plane, listen } = await startPlane(
    t,
    table([pool([target(origin)], { policy: rules })], { listeners: [line] }),
  )
  const port = await listen('127.0.0.1:9')
  const first = await rawClient(t, port, 'one')
  await first.until(text => text === 'one')
  const second = await rawClient(t, port, 'two')
  await until('it waits', () => plane.hold.size === 1)
  t.equal(origin.sockets.length, 1)
  first.socket.end()
  await second.until(text => text === 'two')
})

void t.test('a line that was held is let go as the instance keeps up, not all at once', async t => {
  const { plane, port } = await startPlane(t, table([pool([], { expecting: true })]))
  const clients = await clientsOf(t, port, 200)
  await until('all are held', () => plane.hold.size === 200)
  const desk = await Desk.at(t)
  plane.apply(table([pool([target(desk.origin)])]))
  t.equal(plane.hold.size, 184)
  // One more at once for each answer begun, and twice as many after a second, in steps of a tenth.
  const begun = performance.now()
  const bound = (answered: number): number => (16 + answered) * 2 ** ((performance.now() - begun) / 1000 + 0.3)
  await until('those came', () => desk.count >= 16)
  for (let answered = 0; answered < 200; answered++) {
    await until('there is one to answer', () => desk.count > 0, { intervalMs: 1 })
    t.ok(desk.count <= bound(answered), `${desk.count} at once after ${answered} answers`)
    desk.answer()
  }
  for (const client of clients) t.equal(statusOf(await client.until(isWhole)), 200)
  // Those that need a new connection come a little later than those that do not.
  t.same(
    desk.paths.slice(0, 16),
    Array.from({ length: 16 }, (_, n) => `/${n}`),
    'in order',
  )
  t.equal(new Set(desk.paths).size, 200)
  t.equal(desk.paths.length, 200)
  t.match(report(plane), { held: 200, waiting: 0 })
  const late = await clientsOf(t, port, 40)
  await until('afterwards nobody waits', () => desk.count === 40)
  desk.answer(40)
  for (const client of late) await client.until(isWhole)
})

void t.test('a line that a swap sends to another deployment is let go little by little there', async t => {
  const waiting = pool([], { key: 'a', deployment: 'a', expecting: true })
  const desk = await Desk.at(t)
  const ready = pool([target(desk.origin)], { key: 'b', deployment: 'b' })
  const { plane, port } = await startPlane(t, table([waiting, ready], { listeners: [listener({ pool: 'a' })] }))
  const clients = await clientsOf(t, port, 100)
  await until('all are held', () => plane.hold.size === 100)
  plane.apply(table([waiting, ready], { listeners: [listener({ pool: 'b' })] }))
  t.equal(plane.hold.size, 84)
  const timer = setInterval(() => desk.answer(desk.count), 1)
  t.teardown(() => clearInterval(timer))
  for (const client of clients) t.equal(statusOf(await client.until(isWhole)), 200)
})

void t.test('answers that never end do not keep a line from going', async t => {
  const { plane, port } = await startPlane(t, table([pool([], { expecting: true })]))
  const clients = await clientsOf(t, port, 200)
  await until('all are held', () => plane.hold.size === 200)
  const stream = await answering(t, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
  // What lets more go with time is not called: each answer that has begun makes room for another request.
  plane.hold.tryAgain = () => {}
  plane.apply(table([pool([target(stream)])]))
  for (const client of clients) await client.until(text => text.endsWith('hello\r\n'))
  t.equal(plane.hold.size, 0)
})

void t.test('a line goes by time alone while the instance answers nobody', async t => {
  const { plane, port } = await startPlane(t, table([pool([], { expecting: true })]))
  await clientsOf(t, port, 40)
  await until('all are held', () => plane.hold.size === 40)
  const desk = await Desk.at(t)
  plane.apply(table([pool([target(desk.origin)])]))
  await until('all came', () => desk.count === 40)
})

void t.test('while every instance refuses connections, only the first of the line tries', async t => {
  const dead = await startOrigin(t, () => {})
  await dead.close()
  const { plane, port, rows } = await startPlane(t, table([pool([target(dead)], { expecting: true })]))
  await rawClient(t, port, GET)
  await until('it is held', () => plane.hold.size === 1)
  const begun = performance.now()
  await clientsOf(t, port, 20)
  await until('all are held', () => plane.hold.size === 21)
  const tries = 1 + Math.ceil((performance.now() - begun) / 1000)
  t.ok(rows().replayed <= tries, `${rows().replayed} tries`)
  plane.apply(table([]))
})

void t.test('so it is where some of them are ejected and the others may not be', async t => {
  const dead = [await startOrigin(t, () => {}), await startOrigin(t, () => {})]
  for (const origin of dead) await origin.close()
  const ejection = { failures: 2, baseMs: 60_000, maxShare: 0.5 }
  const targets = dead.map((origin, n) => target(origin, { key: `d1/web_IN_${n}#1.1` }))
  const both = pool(targets, { expecting: true, policy: { ...DEFAULT_POLICY, ejection } })
  const { plane, port, rows } = await startPlane(t, table([both]))
  const clients = await clientsOf(t, port, 20)
  const begun = performance.now()
  await until('one is ejected', () => plane.pools()[0]?.ejected === 1)
  await until('all are held', () => plane.hold.size === 20)
  plane.hold.tryAgain()
  // On arrival each tries both at most once; after that one request an instance and second.
  const tries = 40 + 2 * Math.ceil((performance.now() - begun) / 1000)
  t.ok(rows().replayed <= tries, `${rows().replayed} tries`)
  const good = await answering(t, ok('at last'))
  plane.apply(table([pool([target(good)])]))
  for (const client of clients) t.match(await client.until(isWhole), /at last$/)
})

void t.test('whose connection is being made when its instance goes waits for another, whatever it asks', async t => {
  const first = await startOrigin(t, () => {})
  const made = table([pool([target(first)], { expecting: true })])
  const { plane, port, rows } = await startPlane(t, made)
  plane.prepare(made)
  // More than a pool's replays, and nothing that may be sent twice.
  const count = 150
  const clients = await Promise.all(Array.from({ length: count }, async () => rawClient(t, port, POST)))
  await until('they wait', () => rows().arrived === count)
  plane.abort()
  plane.apply(table([pool([], { expecting: true })]))
  t.equal(plane.hold.size, count)
  const good = await answering(t, ok('at last'))
  plane.apply(table([pool([target(good)])]))
  for (const client of clients) t.match(await client.until(isWhole), /at last$/)
  t.same(first.received.join(''), '')
})

void t.test('where nothing is expected there is no wait', async t => {
  const empty = listener({ pool: null, reason: 'the production slot is empty' })
  const { plane, port, rows } = await startPlane(t, table([], { listeners: [empty] }))
  const refused = (reason: RegExp): RegExp =>
    new RegExp(
      `^HTTP/1\\.1 503 [\\s\\S]*Proxy-Status: vipswap; error=destination_unavailable[\\s\\S]*Retry-After: 1[\\s\\S]*${reason.source}`,
    )
  t.match(await ask(t, port, GET), refused(/slot is empty/))
  plane.apply(table([], { listeners: [listener({ pool: null, reason: 'the deployment is suspended' })] }))
  t.match(await ask(t, port, GET), refused(/is suspended/))
  plane.apply(table([pool([], { expecting: false })]))
  t.match(await ask(t, port, GET), refused(/no instance is ready/))
  t.match(rows(), { held: 0, refused: 2, broken: { 'no-instance': 1 } })

  // Held first, then given up by whoever knows better.
  plane.apply(table([pool([], { expecting: true })]))
  const client = await rawClient(t, port, GET)
  await until('it is held', () => plane.hold.size === 1)
  plane.apply(table([pool([], { expecting: false })]))
  t.match(await client.until(isWhole), refused(/no instance is ready/))
})

void t.test('workers keep the bounds of a table together', async t => {
  const plane = new DataPlane(() => {}, 4)
  t.equal(plane.shareOf(1000), 250)
  t.equal(plane.shareOf(3), 1)
  t.equal(plane.shareOf(0), 0)
  await plane.close(0)
})

void t.test('a request that had its instance may wait again for as long as others', async t => {
  const limits = { holdTimeoutMs: 60_000 }
  const none = [pool([], { expecting: true })]
  const { plane, port } = await startPlane(t, table(none, { limits }))
  const client = await rawClient(t, port, GET)
  await until('it is held', () => plane.hold.size === 1)
  const held = performance.now()
  const silent = await startOrigin(t, () => {})
  plane.apply(table([pool([target(silent)])], { limits }))
  await until('the instance has it', () => silent.received.join('') !== '')
  plane.apply(table(none, { limits }))
  t.equal(plane.hold.size, 1)
  // The first time would be over by then.
  plane.hold.expireAt(held + limits.holdTimeoutMs, plane.snapshot.limits)
  t.equal(plane.hold.size, 1)
  const good = await answering(t, ok('at last'))
  plane.apply(table([pool([target(good)])], { limits }))
  t.match(await client.until(isWhole), /at last$/)
})
