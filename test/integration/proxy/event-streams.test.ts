import t from 'tap'
import { until } from '../../support/until.ts'
import { isWhole, ok, open, pool, rawClient, startOrigin, startPlane, statusOf, table, target } from './support.ts'
import type { Socket } from 'node:net'

const GET = 'GET /events HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n'

interface Test {
  teardown(fn: () => unknown): void
}

/** An instance that begins its answer by `first`, and says more when told; other requests are answered `x`. */
async function startEvents(t: Test, first: string, drainMs = 300) {
  const streams: Socket[] = []
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.endsWith('\r\n\r\n')) return
    clear()
    if (text.startsWith('GET /events')) {
      streams.push(socket)
      socket.write(first, 'latin1')
    } else socket.write(ok('x'))
  })
  const other = await startOrigin(t, (_text, socket, clear) => {
    clear()
    socket.write(ok('other'))
  })
  const old = target(origin)
  // A client that says nothing is let go later than an answer that stops.
  const limits = { tunnelIdleTimeoutMs: 400, idleTimeoutMs: 150, keepAliveTimeoutMs: 500 }
  const plane = await startPlane(t, table([pool([old])], { limits: { ...limits, tunnelIdleTimeoutMs: 60_000 } }))
  return {
    ...plane,
    origin,
    /** On the first stream of events. */
    say: (text: string) => streams[0]?.write(text, 'latin1'),
    drain: () =>
      plane.plane.apply(
        table([pool([{ ...old, state: 'draining', drainMs }, target(other, { name: 'web_IN_1' })])], {
          limits: { ...limits, tunnelIdleTimeoutMs: 60_000 },
        }),
      ),
    shortIdle: () => plane.plane.apply(table([pool([old])], { limits })),
  }
}

void t.test('each event reaches the client before the next one is sent', async t => {
  const { port, say } = await startEvents(t, `${HEAD}Transfer-Encoding: chunked\r\n\r\n`)
  const client = await rawClient(t, port, GET)
  await client.until(text => text.endsWith('\r\n\r\n'))
  for (let event = 0; event < 20; event++) {
    say(chunk(`data: ${event}\n\n`))
    await client.until(text => text.endsWith(`data: ${event}\n\n\r\n`))
  }
})

void t.test('a drain ends a chunked event stream between two events and keeps the connection', async t => {
  const { port, say, drain, rows, plane } = await startEvents(t, `${HEAD}Transfer-Encoding: chunked\r\n\r\n`)
  const client = await rawClient(t, port, GET)
  await client.until(text => text.endsWith('\r\n\r\n'))
  say(chunk('data: 1\n\n'))
  await client.until(text => text.endsWith('data: 1\n\n\r\n'))
  drain()
  await client.until(text => text.endsWith('data: 1\n\n\r\n0\r\n\r\n'))
  client.text = ''
  client.send('GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n')
  t.match(await client.until(isWhole), /other$/, 'the same connection goes on')
  t.equal(rows().answered, 2)
  t.same(rows().broken, {})
  t.same(plane.status().inFlight, {})
})

void t.test('a stream of events that says it is not encoded is ended like one that says nothing', async t => {
  const fields = 'Content-Encoding: identity\r\nTransfer-Encoding: chunked\r\n'
  const { port, drain, rows } = await startEvents(t, `${HEAD}${fields}\r\n${chunk('data: 1\n\n')}`, 0)
  const client = await rawClient(t, port, GET)
  await client.until(text => text.includes('data: 1'))
  drain()
  await client.until(text => text.endsWith('data: 1\n\n\r\n0\r\n\r\n'))
  t.equal(rows().answered, 1)
})

void t.test('an event under way is finished first, and nothing of the next one follows', async t => {
  const { port, say, drain, rows } = await startEvents(t, `${HEAD}Transfer-Encoding: chunked\r\n\r\n`, 0)
  const client = await rawClient(t, port, GET)
  await client.until(text => text.endsWith('\r\n\r\n'))
  say(chunk('data: 1\n'))
  await client.until(text => text.endsWith('data: 1\n\r\n'))
  const idle = await rawClient(t, port, GET)
  await idle.until(text => text.endsWith('\r\n\r\n'))
  drain()
  // Another stream, between two events, shows when the deadline is met.
  await idle.until(text => text.endsWith('\r\n\r\n0\r\n\r\n'))
  t.ok(client.text.endsWith('data: 1\n\r\n'))
  say(chunk('data: 2\n\n') + chunk('data: 3\n\n'))
  const text = await client.until(isWhole)
  t.ok(text.endsWith(`\r\n\r\n${chunk('data: 1\n')}${chunk('data: 2\n\n')}0\r\n\r\n`), text)
  t.equal(rows().answered, 2)
})

for (const [what, request] of [
  ['a stream that ends with its connection', GET],
  ['an HTTP/1.0 client', GET.replace('HTTP/1.1', 'HTTP/1.0')],
] as const) {
  void t.test(`a drain ends ${what} by FIN after an event`, async t => {
    const framing = request === GET ? '' : 'Transfer-Encoding: chunked\r\n'
    const framed = (text: string): string => (request === GET ? text : chunk(text))
    const { port, say, drain, rows } = await startEvents(t, `${HEAD}${framing}\r\n${framed('data: 1\n\n')}`)
    const client = await rawClient(t, port, request)
    await client.until(text => text.endsWith('data: 1\n\n'))
    say(framed('data: 2\n\n'))
    await client.until(text => text.endsWith('data: 2\n\n'))
    drain()
    t.match(await client.end(), /Connection: close\r\n\r\ndata: 1\n\ndata: 2\n\n$/)
    t.equal(client.failed, null)
    t.equal(rows().answered, 1)
  })
}

void t.test('an event stream with a length, a half event and a download are cut visibly at the deadline', async t => {
  for (const first of [
    `${HEAD}Content-Length: 100\r\n\r\ndata: 1\n\n`,
    `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk('data: 1\n')}`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('data: 1\n\n')}`,
    // What looks like a boundary in compressed octets is none.
    `${HEAD}Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('data: 1\n\n')}`,
  ]) {
    const { port, drain, rows, plane } = await startEvents(t, first, 0)
    const client = await rawClient(t, port, GET)
    await client.until(text => text.includes('data: 1'))
    // Without a byte for longer than usual answers may be silent: only the last kind is ended for that.
    drain()
    await until('it is cut', () => client.closed)
    t.notOk(client.text.endsWith('0\r\n\r\n'))
    t.equal(client.failed, 'read ECONNRESET')
    t.equal(open(plane), 0)
    t.equal(rows().answered, 0)
  }
})

void t.test('silence between events is no fault, until it lasts as long as a tunnel may be idle', async t => {
  const { port, say, rows, shortIdle } = await startEvents(t, `${HEAD}Transfer-Encoding: chunked\r\n\r\n`)
  const client = await rawClient(t, port, GET)
  await client.until(text => text.endsWith('\r\n\r\n'))
  const idle = await rawClient(t, port)
  await until('the clocks were looked at, and more than the idle time has passed', () => idle.ended)
  say(chunk('data: 1\n\n'))
  await client.until(text => text.endsWith('data: 1\n\n\r\n'))
  shortIdle()
  await client.until(text => text.endsWith('data: 1\n\n\r\n0\r\n\r\n'))
  t.equal(rows().answered, 1)
})

void t.test('a long poll at the deadline goes to another instance if it may, else gets 503', async t => {
  const silent = await startOrigin(t, () => {})
  const other = await startOrigin(t, (_text, socket, clear) => {
    clear()
    socket.write(ok('other'))
  })
  const old = target(silent)
  const { plane, port, rows } = await startPlane(t, table([pool([old])]))
  const poll = await rawClient(t, port, GET)
  const post = await rawClient(t, port, GET.replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 0\r\n\r\n'))
  await until('both are in flight', () => silent.received.length === 2 && silent.received.every(text => text !== ''))
  plane.apply(table([pool([{ ...old, state: 'draining', drainMs: 0 }, target(other, { name: 'web_IN_1' })])]))
  t.match(await poll.until(isWhole), /other$/)
  t.equal(statusOf(await post.until(isWhole)), 503)
  t.same(rows().broken, { 'drain-deadline': 1 })
  t.equal(rows().replayed, 1)
  t.equal(open(plane), 0)
})
