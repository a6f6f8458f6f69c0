import t from 'tap'
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
} from './support.ts'
import { h2Pool } from './http2/support.ts'
import type { Pool, RoutingTable } from '../../../src/contracts/routing.ts'
import { countOf } from '../../../src/core/histogram.ts'
import { randomFrom } from '../../support/random.ts'
import { until } from '../../support/until.ts'

const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 2\r\n\r\nhi'

void t.test('after an answer of the new deployment no request sent later gets one of the old', async t => {
  const origins = [await answering(t, ok('A')), await answering(t, ok('B'))] as const
  const pools = [
    pool([target(origins[0])], { key: 'a', deployment: 'a' }),
    pool([target(origins[1])], { key: 'b', deployment: 'b' }),
  ]
  const swapped = (flip: boolean): ReturnType<typeof table> =>
    table(pools, {
      listeners: [
        listener({ pool: flip ? 'b' : 'a' }),
        listener({ key: 'app/staging/web/http', slot: 'staging', port: 2, pool: flip ? 'a' : 'b' }),
      ],
    })
  const { plane, port, listen, rows } = await startPlane(t, swapped(false))
  const staging = await listen('127.0.0.1:2')
  let flip = false
  let stop = false
  let requests = 0
  const failures: string[] = []
  const run = async (at: number, isProduction: boolean): Promise<void> => {
    const client = await rawClient(t, at)
    while (!stop) {
      const before = flip
      client.text = ''
      client.send(requests % 3 === 0 ? POST : GET)
      const text = await client.until(isWhole)
      requests++
      const after = flip
      const gotNew = text.endsWith(isProduction ? 'B' : 'A')
      // With no swap in between the answer is known.
      if (before === after && gotNew !== after && swaps === swapsAt(client)) failures.push(text)
      marks.set(client, swaps)
    }
    client.socket.destroy()
  }
  let swaps = 0
  const marks = new Map<unknown, number>()
  const swapsAt = (client: unknown): number => marks.get(client) ?? 0
  const clients = Array.from({ length: 16 }, (_, index) => run(index % 2 ? staging : port, index % 2 === 0))
  for (let index = 0; index < 50; index++) {
    const seen = requests
    await until('requests went by', () => requests > seen + 40, { intervalMs: 1 })
    flip = !flip
    plane.apply(swapped(flip))
    swaps++
  }
  stop = true
  await Promise.all(clients)
  t.same(failures, [])
  const totals = [rows(), rows('app/staging/web/http')]
  t.equal((totals[0]?.answered ?? 0) + (totals[1]?.answered ?? 0), requests)
  t.equal(open(plane), 0)
})

void t.test('requests wait while something is expected, and go to whatever becomes ready', async t => {
  const { plane, port, rows } = await startPlane(t, table([pool([], { expecting: true })]))
  const clients = await Promise.all([GET, POST, GET].map(async request => rawClient(t, port, request)))
  const chunked = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n')
  await until('all are held', () => plane.hold.size === 4)
  chunked.send('3\r\nabc\r\n0\r\n\r\n')
  const gone = await rawClient(t, port, GET)
  await until('another is held', () => plane.hold.size === 5)
  gone.socket.resetAndDestroy()
  await until('it is forgotten', () => plane.hold.size === 4)
  plane.apply(table([pool([], { expecting: true })]))
  t.equal(plane.hold.size, 4, 'still nothing ready')

  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n') || (text.includes('chunked') && !text.endsWith('0\r\n\r\n'))) return
    clear()
    socket.write(ok('x'))
  })
  plane.apply(table([pool([target(origin)])]))
  for (const client of [...clients, chunked]) t.equal(statusOf(await client.until(isWhole)), 200)
  const row = rows()
  t.equal(row.held, 5)
  t.ok(row.heldMaxMs > 0)
  t.equal(row.arrived, 5)
  t.equal(row.answered, 4)
  t.equal(row.clientGone, 1)
  t.ok(origin.received.some(text => text.endsWith('3\r\nabc\r\n0\r\n\r\n')))
  t.equal(open(plane), 0)
})

void t.test('holding is bounded in time, count and bytes', async t => {
  const limits = { holdTimeoutMs: 300, holdMax: 2 }
  const { plane, port, rows } = await startPlane(t, table([pool([], { expecting: true })], { limits }))
  const clients = [await rawClient(t, port, GET), await rawClient(t, port, GET)]
  await until('both are held', () => plane.hold.size === 2)
  t.equal(statusOf(await ask(t, port, GET)), 503)
  t.same(rows().broken, { 'hold-full': 1 })
  for (const client of clients) t.match(await client.until(isWhole), /^HTTP\/1\.1 503 [\s\S]*Retry-After: 1/)
  t.same(rows().broken, { 'hold-full': 1, 'hold-expired': 2 })
  plane.apply(table([pool([], { expecting: true })], { limits: { holdBytes: 10 } }))
  const held = await rawClient(t, port, POST)
  t.equal(statusOf(await held.until(isWhole)), 503)
  t.equal(open(plane), 0)
  const waiting = table([pool([], { expecting: true })])
  plane.apply(waiting)
  const last = await rawClient(t, port, GET)
  await until('it is held', () => plane.hold.size === 1)
  plane.apply(table([], { listeners: [listener({ pool: null, reason: 'suspended' })] }))
  t.match(await last.until(isWhole), /^HTTP\/1\.1 503 [\s\S]*suspended/)
})

void t.test('requests held because every instance refused go on once one listens again', async t => {
  const dead = await startOrigin(t, () => {})
  await dead.close()
  const line = listener({ key: 'app/production/db/tcp', protocol: 'tcp', port: 9, hostNames: [] })
  const tables = table([pool([target(dead)], { expecting: true })], { listeners: [listener(), line] })
  const { plane, port, rows, listen } = await startPlane(t, tables)
  const clients = await Promise.all([GET, POST, GET].map(async request => rawClient(t, port, request)))
  const raw = await rawClient(t, await listen('127.0.0.1:9'), GET)
  await until('all are held', () => plane.hold.size === 4)
  const again = await startOrigin(t, (_text, socket) => socket.write(ok('x')), { port: dead.port })
  for (const client of [...clients, raw]) t.equal(statusOf(await client.until(isWhole)), 200)
  t.equal(plane.hold.size, 0)
  t.equal(again.received.length, 4)
  t.equal(rows().answered, 3)
})

void t.test('a pool that holds all it may leaves another pool its own share', async t => {
  const pools = [pool([], { key: 'a', expecting: true }), pool([], { key: 'b', expecting: true })]
  const listeners = [listener({ pool: 'a' }), listener({ key: 'b', port: 2, pool: 'b' })]
  const { plane, port, listen } = await startPlane(t, table(pools, { listeners, limits: { holdMax: 2 } }))
  const other = await listen('127.0.0.1:2')
  await rawClient(t, port, GET)
  await rawClient(t, port, GET)
  await until('one is full', () => plane.hold.size === 2)
  t.equal(statusOf(await ask(t, port, GET)), 503)
  await rawClient(t, other, GET)
  await until('the other is not', () => plane.hold.size === 3)
  plane.apply(table([]))
  await until('all are answered', () => open(plane) === 0)
})

void t.test('a draining instance finishes what it has, gets nothing new, and its count reaches zero', async t => {
  const answers: (() => void)[] = []
  const draining = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    answers.push(() => socket.write(ok('old')))
  })
  const fresh = await answering(t, ok('new'))
  const old = target(draining)
  const { plane, port, drained, rows } = await startPlane(t, table([pool([old])]))
  const clients = await Promise.all(Array.from({ length: 5 }, async () => rawClient(t, port, GET)))
  await until('all are in flight', () => answers.length === 5)
  plane.apply(table([pool([{ ...old, state: 'draining', drainMs: 60_000 }, target(fresh, { name: 'web_IN_1' })])]))
  t.match(await ask(t, port, GET), /new$/)
  t.same(plane.status().inFlight, { [old.key]: 5 })
  answers.splice(0, 4).forEach(answer => answer())
  await until('one is left', () => plane.status().inFlight[old.key] === 1)
  t.equal(drained(), 0)
  answers.forEach(answer => answer())
  await until('it is empty', () => drained() === 1)
  t.same(plane.status().inFlight, {})
  for (const client of clients) t.match(await client.until(isWhole), /old$/)
  await until('its connections are closed', () => draining.sockets.every(socket => socket.destroyed))
  t.equal(rows().answered, 6)
})

void t.test('what outlives the deadline of a drain by 2 s is cut and counted', async t => {
  const origin = await startOrigin(t, () => {})
  const old = target(origin)
  const { plane, port, drained, rows } = await startPlane(t, table([pool([old])]))
  const client = await rawClient(t, port, GET)
  await until('it is in flight', () => origin.sockets.length === 1)
  plane.apply(table([pool([{ ...old, state: 'draining', drainMs: 0 }])]))
  t.equal(statusOf(await client.until(isWhole)), 503)
  t.same(rows().broken, { 'drain-deadline': 1 })
  t.equal(drained(), 1)
  t.equal(open(plane), 0)
})

void t.test('an instance that leaves the table is cut at once, and its idle connections closed', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (text.startsWith('GET')) {
      clear()
      socket.write(ok('x'))
    }
  })
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])]))
  await Promise.all([ask(t, port, GET), ask(t, port, GET)])
  const client = await rawClient(t, port, POST)
  await until('it is in flight', () => Object.keys(plane.status().inFlight).length === 1)
  plane.apply(table([pool([])]))
  t.equal(statusOf(await client.until(isWhole)), 502)
  t.same(rows().broken, { 'upstream-closed': 1 })
  await until('all are closed', () => origin.sockets.every(socket => socket.destroyed))
})

void t.test('while the gate is closed requests wait, and are served by the new table', async t => {
  const a = await answering(t, ok('A'))
  const b = await answering(t, ok('B'))
  const { plane, port } = await startPlane(t, table([pool([target(a)])]))
  const client = await rawClient(t, port, GET)
  await client.until(isWhole)
  plane.prepare(table([pool([target(b)])]))
  client.text = ''
  client.send(GET)
  const second = await rawClient(t, port, GET)
  const gone = await rawClient(t, port, GET)
  gone.socket.destroy()
  await until('they have arrived', () => plane.connections >= 3)
  t.equal(client.text, '')
  plane.commit()
  t.match(await client.until(isWhole), /B$/)
  t.match(await second.until(isWhole), /B$/)
  await until('nothing is open', () => open(plane) === 0)
})

void t.test('no more wait at the gate than may be held, and all have arrived', async t => {
  const a = await answering(t, ok('A'))
  const made = table([pool([target(a)])], { limits: { holdMax: 3 } })
  const { plane, port, rows } = await startPlane(t, made)
  plane.prepare(made)
  const clients = await Promise.all(Array.from({ length: 3 }, async () => rawClient(t, port, GET)))
  await until('they wait', () => rows().arrived === 3)
  t.equal(open(plane), 3)
  t.equal(statusOf(await ask(t, port, GET)), 503)
  t.same(rows().broken, { 'hold-full': 1 })
  plane.commit()
  for (const client of clients) t.match(await client.until(isWhole), /A$/)
  t.match(rows(), { arrived: 4, answered: 3 })
})

void t.test('if the change is called off, what waited at the gate is served by the old table', async t => {
  const a = await answering(t, ok('A'))
  const b = await answering(t, ok('B'))
  const { plane, port } = await startPlane(t, table([pool([target(a)])]))
  plane.prepare(table([pool([target(b)])]))
  const client = await rawClient(t, port, GET)
  await until('it has arrived', () => plane.connections === 1)
  t.equal(client.text, '')
  plane.abort()
  t.match(await client.until(isWhole), /A$/)
  plane.commit()
  client.text = ''
  client.send(GET)
  t.match(await client.until(isWhole), /A$/, 'what was called off cannot be committed')
})

void t.test('a gate that stays closed is answered 503 after holdTimeout', async t => {
  const a = await answering(t, ok('A'))
  const limits = { holdTimeoutMs: 200 }
  const { plane, port, rows } = await startPlane(t, table([pool([target(a)])], { limits }))
  plane.prepare(table([pool([target(a)])], { limits }))
  const client = await rawClient(t, port, GET)
  t.equal(statusOf(await client.until(isWhole)), 503)
  t.same(rows().broken, { 'hold-expired': 1 })
  client.text = ''
  client.send(GET)
  t.equal(statusOf(await client.until(isWhole)), 503)
  t.equal(a.sockets.length, 0, 'by neither table')
  plane.commit()
  client.text = ''
  client.send(GET)
  t.match(await client.until(isWhole), /A$/)
  t.equal(open(plane), 0)
})

void t.test('a request replayed while the gate is closed waits, whatever its clocks said', async t => {
  const a = await startOrigin(t, () => {})
  const b = await answering(t, ok('B'))
  // A client that says nothing is let go later than an instance that does not answer is given up.
  const limits = { responseTimeoutMs: 200, keepAliveTimeoutMs: 500 }
  const { plane, port } = await startPlane(t, table([pool([target(a)])], { limits }))
  const client = await rawClient(t, port, GET)
  await until('it is in flight', () => a.received.join('') !== '')
  plane.prepare(table([pool([target(b)])], { limits }))
  a.sockets[0]?.resetAndDestroy()
  await until('it waits at the gate', () => Object.keys(plane.status().inFlight).length === 0)
  const idle = await rawClient(t, port)
  await until('the clocks were looked at, and more than its limit has passed', () => idle.ended)
  t.equal(client.text, '')
  plane.commit()
  t.match(await client.until(isWhole), /B$/)
})

void t.test('connections of a closed address are told to close by their next answer', async t => {
  const origin = await answering(t, ok('x'))
  const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, GET)
  t.notMatch(await client.until(isWhole), /Connection: close/)
  plane.apply(table([], { listeners: [] }))
  client.text = ''
  client.send(GET)
  t.match(await client.end(), /^HTTP\/1\.1 503 [\s\S]*Connection: close/)
})

void t.test('the ledger adds up whatever happens', async t => {
  const random = randomFrom(1)
  const origins = await Promise.all(
    Array.from({ length: 3 }, async (_, index) =>
      startOrigin(t, (text, socket, clear) => {
        if (!text.includes('\r\n\r\n')) return
        clear()
        const dice = random()
        if (dice < 0.1) socket.resetAndDestroy()
        else if (dice < 0.15) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc')
        else if (dice < 0.2) socket.write('nonsense\r\n\r\n')
        else socket.write(ok(`from ${index}`))
      }),
    ),
  )
  const targets = origins.map((origin, index) => target(origin, { name: `web_IN_${index}`, version: `${index}.0.0` }))
  const { plane, port, rows } = await startPlane(t, table([pool(targets)]))
  let asked = 0
  const run = async (): Promise<void> => {
    for (let index = 0; index < 60; index++) {
      const client = await rawClient(t, port, random() < 0.5 ? GET : random() < 0.9 ? POST : 'bad\r\n\r\n')
      asked++
      if (random() < 0.1) client.socket.resetAndDestroy()
      else await client.until(isWhole).catch(() => {})
      client.socket.destroy()
      if (index % 20 === 0) plane.apply(table([pool(targets.slice(index % 3), { expecting: true })]))
    }
  }
  await Promise.all(Array.from({ length: 8 }, run))
  plane.apply(table([pool(targets)]))
  await until('nothing is in flight', () => Object.keys(plane.status().inFlight).length === 0)
  await until('nothing is open', () => open(plane) === 0)
  const row = rows()
  const broken = Object.values(row.broken).reduce((sum, count) => sum + count, 0)
  t.equal(row.arrived, row.answered + row.refused + row.clientGone + broken)
  t.ok(row.arrived <= asked && row.arrived > asked * 0.8)
  t.ok(row.answered > 0 && row.refused > 0 && broken > 0)
  const { statuses = [], own = [], duration } = row.answers ?? {}
  t.equal(countOf(duration?.buckets ?? []), row.answered, 'each whole answer has a duration')
  const sent = [...statuses, ...own].reduce((sum, count) => sum + count, 0)
  t.ok(sent <= row.arrived && sent >= row.answered + row.refused, 'each was answered by an instance, or by the proxy')
})

void t.test('who leaves while the gate is closed is counted where the request was for', async t => {
  const a = await answering(t, ok('A'))
  const made = table([pool([target(a)])])
  const { plane, port, rows } = await startPlane(t, made)
  plane.prepare(made)
  const client = await rawClient(t, port, GET)
  // What came later was read and answered, so this one was read too.
  t.equal(statusOf(await ask(t, port, 'nonsense\r\n\r\n')), 400)
  client.socket.resetAndDestroy()
  await until('it has gone', () => plane.connections === 0)
  plane.commit()
  t.match(rows(), { arrived: 2, refused: 1, clientGone: 1 })
  t.same(
    plane.ledger.snapshot().map(row => row.vip),
    [rows().vip],
  )
})

void t.test('after a dial that failed the table now current says what else there is', async t => {
  const silent = await startOrigin(t, () => {})
  const b = await answering(t, ok('B'))
  // Its connections are ready once it sends SETTINGS, which it does not.
  const old = h2Pool([target(silent)], { key: 'a', deployment: 'a' })
  const made = (now: readonly Pool[], to: string): RoutingTable =>
    table([old, ...now], { listeners: [listener({ pool: to })] })
  const { plane, port } = await startPlane(t, made([], 'a'))
  const first = await rawClient(t, port, POST)
  await until('it is dialled', () => silent.received.length === 1)
  plane.apply(made([pool([target(b)], { key: 'b', deployment: 'b' })], 'b'))
  silent.sockets[0]?.destroy()
  t.match(await first.until(isWhole), /B$/)

  plane.apply(made([], 'a'))
  const second = await rawClient(t, port, POST)
  await until('it is dialled', () => silent.received.length === 2)
  plane.apply(made([pool([], { key: 'b', deployment: 'b', expecting: true })], 'b'))
  silent.sockets[1]?.destroy()
  await until('it waits', () => plane.hold.size === 1)
  plane.apply(made([pool([target(b)], { key: 'b', deployment: 'b' })], 'b'))
  t.match(await second.until(isWhole), /B$/)
})
