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
  type TestPlane,
} from './support.ts'
import { NOWHERE, SlowStream } from '../../support/slow-stream.ts'
import { Peer } from '../../../proxy/connections/peer.ts'
import { ClientConnection } from '../../../proxy/front/client-connection.ts'
import { until } from '../../support/until.ts'

const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 2\r\n\r\nhi'
const HEAD = 'HEAD / HTTP/1.1\r\nHost: app.localhost\r\n\r\n'

/** Without the date that the proxy adds. */
function undated(text: string): string {
  return text.replace(/Date: [^\r]* GMT\r\n/, '')
}

void t.test('an answer without a date gets one, another keeps its own (RFC 9110 section 6.6.1)', async t => {
  const without = await answering(t, ok('x'))
  const { plane, port } = await startPlane(t, table([pool([target(without)])]))
  const [, date = ''] = /\r\nDate: ([^\r]*)\r\n/.exec(await ask(t, port, GET)) ?? []
  t.ok(Math.abs(Date.parse(date) - Date.now()) < 5000)
  const old = await answering(t, ok('x', 'date: Mon, 01 Jan 2024 00:00:00 GMT\r\n'))
  plane.apply(table([pool([target(old)])]))
  t.same((await ask(t, port, GET)).match(/\r\ndate: [^\r]*/gi), ['\r\ndate: Mon, 01 Jan 2024 00:00:00 GMT'])
})

void t.test('an HTTP/1.0 client gets a chunked answer without its framing', async t => {
  const origin = await answering(
    t,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n',
  )
  const { port } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
  t.match(undated(await client.end()), /^HTTP\/1\.1 200 OK\r\nConnection: close\r\n\r\nabcde$/)
  const sized = await answering(t, ok('abc'))
  const other = await startPlane(t, table([pool([target(sized)])]))
  const kept = await rawClient(t, other.port, 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
  t.match(await kept.until(isWhole), /Connection: keep-alive\r\n\r\nabc$/)
})

void t.test('a stale idle connection costs a GET one more try and a POST nothing is sent twice', async t => {
  let serve = true
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    if (serve) socket.write(ok('x'))
    else socket.resetAndDestroy()
    // Only the old connections are stale.
    serve = true
  })
  const { port, rows } = await startPlane(t, table([pool([target(origin)])]))
  await ask(t, port, GET)
  serve = false
  t.equal(statusOf(await ask(t, port, GET)), 200)
  t.equal(origin.sockets.length, 2)
  t.equal(rows().replayed, 1)
  serve = false
  t.equal(statusOf(await ask(t, port, POST)), 502)
  t.equal(origin.received.join('').split('POST').length - 1, 1)
  t.same(rows().broken, { 'upstream-closed': 1 })
})

void t.test('a POST of which nothing was sent, the idle connection being closed, goes to another one', async t => {
  for (const body of ['hi', 'x'.repeat(5000)]) {
    const origin = await startOrigin(t, (text, socket, clear) => {
      const headEnd = text.indexOf('\r\n\r\n')
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0)
      if (headEnd === -1 || text.length < headEnd + 4 + length) return
      clear()
      socket.write(ok('x'))
    })
    const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])]))
    await ask(t, port, GET)
    const client = new SlowStream()
    plane.serveHttp1('127.0.0.1:1', new Peer(NOWHERE, null), client)
    // In one step, so that nobody has seen the reset when the request is sent.
    origin.sockets[0]?.resetAndDestroy()
    const post = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    client.handler.onBytes(post, 0, post.length)
    await until('it is answered', () => isWhole(client.text))
    t.equal(statusOf(client.text), 200)
    t.ok(origin.received[1]?.endsWith(`\r\n\r\n${body}`))
    t.match(rows(), { answered: 2, replayed: 1, broken: {} })
    client.destroy()
  }
})

void t.test('a client that ends its side still gets the rest of its last answer', async t => {
  const origin = await answering(t, ok('x'))
  const { plane } = await startPlane(t, table([pool([target(origin)])]))
  const client = new SlowStream()
  client.slow = true
  plane.serveHttp1('127.0.0.1:1', new Peer(NOWHERE, null), client)
  const get = Buffer.from('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
  client.handler.onBytes(get, 0, get.length)
  await until('it is answered', () => client.ended)
  t.ok(client.pending > 0)
  client.handler.onEnd()
  t.equal(client.destroyed, false)
  client.drain()
  client.destroy()
  t.equal(plane.connections, 0)
})

/** A connection that the data plane does not look after by itself, and the times at which it is to be. */
function watched(plane: TestPlane['plane']) {
  const client = new SlowStream()
  const owner = { remove: () => {}, move: () => {} }
  const connection = new ClientConnection(plane, owner, '127.0.0.1:1', new Peer(NOWHERE, null), client)
  let now = performance.now()
  const watch = (ms: number): void => {
    now += ms
    connection.watch(now)
  }
  const send = (text: string): void => client.handler.onBytes(Buffer.from(text), 0, text.length)
  return { client, watch, send }
}

void t.test('a client that takes its answer slowly gets it, one that takes nothing is cut', async t => {
  const half = 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n'
  for (const [name, answer] of [
    ['in the middle of it', half + 'x'.repeat(50_000)],
    ['at its end', ok('x'.repeat(50_000))],
    ['at the end of its last', ok('x'.repeat(50_000), 'Connection: close\r\n')],
  ] as const) {
    const origin = await answering(t, answer)
    const { plane } = await startPlane(t, table([pool([target(origin)])], { limits: { idleTimeoutMs: 60_000 } }))
    const { client, watch, send } = watched(plane)
    client.slow = true
    send(name === 'at the end of its last' ? GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n') : GET)
    await until('it is answered', () => client.text.endsWith('x') && client.pending > 50_000)
    for (let minute = 0; minute < 10; minute++) {
      client.taken += 100
      watch(50_000)
    }
    t.equal(client.destroyed, false, name)
    watch(50_000)
    t.equal(client.destroyed, false, name)
    watch(50_000)
    t.equal(client.destroyed, true, name)
  }
})

void t.test('octets on an idle connection are no answer', async t => {
  const origin = await answering(t, ok('x'))
  const { port } = await startPlane(t, table([pool([target(origin)])]))
  await ask(t, port, GET)
  origin.sockets[0]?.write(ok('poison'))
  await until('it is closed', () => origin.sockets[0]?.destroyed)
  t.match(await ask(t, port, GET), /\r\n\r\nx$/)
})

void t.test('a refused connection goes to another instance, a POST too', async t => {
  const dead = await startOrigin(t, () => {})
  await dead.close()
  const origin = await answering(t, ok('alive'))
  const both = [target(dead, { name: 'web_IN_1' }), target(origin)]
  const { plane, port, rows } = await startPlane(t, table([pool(both)]))
  for (let index = 0; index < 20; index++) t.equal(statusOf(await ask(t, port, index % 2 ? GET : POST)), 200)
  t.ok(rows().replayed > 0)
  t.equal(rows().answered, 20)

  plane.apply(table([pool([target(dead)])]))
  const refused = await ask(t, port, GET)
  t.equal(statusOf(refused), 502)
  t.match(refused, /error=connection_refused/)
  t.same(rows().broken, { 'connect-failed': 1 })
})

void t.test(
  'idle connections are retired before the instance would close them, and Connection: close is honoured',
  async t => {
    const origin = await answering(t, ok('x', 'Keep-Alive: timeout=1\r\n'))
    const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
    await ask(t, port, GET)
    await ask(t, port, GET)
    t.equal(origin.sockets.length, 2, 'timeout=1 leaves no time to reuse')
    const closing = await answering(t, ok('x', 'Connection: close\r\n'))
    plane.apply(table([pool([target(closing)])]))
    await ask(t, port, GET)
    await ask(t, port, GET)
    t.equal(closing.sockets.length, 2)
  },
)

void t.test('time limits end in 504, 408, or a closed idle connection', async t => {
  const silent = await startOrigin(t, () => {})
  const limits = { responseTimeoutMs: 300, headTimeoutMs: 300, keepAliveTimeoutMs: 300, idleTimeoutMs: 300 }
  const { plane, port, rows } = await startPlane(t, table([pool([target(silent)])], { limits }))
  const slow = await rawClient(t, port, GET)
  t.match(await slow.until(isWhole), /^HTTP\/1\.1 504 [\s\S]*error=http_response_timeout/)
  const head = await rawClient(t, port, 'GET / HTTP/1.1\r\nHos')
  t.equal(statusOf(await head.end()), 408)
  const body = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
  t.equal(statusOf(await body.end()), 408)
  const idle = await rawClient(t, port)
  t.equal(await idle.end(), '')
  const stalled = await startOrigin(t, (_text, socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'),
  )
  plane.apply(table([pool([target(stalled)])], { limits }))
  const cut = await rawClient(t, port, GET)
  t.notOk(isWhole(await cut.end()))
  t.same(rows().broken, { timeout: 2 })
  t.equal(rows().refused, 2)
  t.equal(open(plane), 0)
})

void t.test(
  'where nothing is deployed, nothing is ready, or the host is unknown, the proxy says so at once',
  async t => {
    const origin = await answering(t, ok('a'))
    const empty = listener({ pool: null, reason: 'the slot is empty' })
    const { plane, port, rows } = await startPlane(t, table([], { listeners: [empty] }))
    const answer = await ask(t, port, GET)
    t.match(
      answer,
      /^HTTP\/1\.1 503 [\s\S]*Proxy-Status: vipswap; error=destination_unavailable; details="the slot is empty"\r\nRetry-After: 1\r\n/,
    )
    t.match(answer, /the slot is empty\n$/)
    t.equal(rows().refused, 1)
    const head = await rawClient(t, port, HEAD)
    t.match(await head.until(text => text.includes('\r\n\r\n')), /^HTTP\/1\.1 503 [\s\S]*\r\n\r\n$/)
    plane.apply(table([pool([])]))
    t.equal(statusOf(await ask(t, port, GET)), 503)
    t.same(rows().broken, { 'no-instance': 1 })

    const other = listener({
      key: 'other/production/web/http',
      service: 'other',
      hostNames: ['other.localhost'],
      pool: 'p2',
    })
    const origin2 = await answering(t, ok('b'))
    plane.apply(
      table([pool([target(origin)]), pool([target(origin2)], { key: 'p2' })], { listeners: [listener(), other] }),
    )
    t.match(await ask(t, port, GET), /\r\n\r\na$/)
    t.match(await ask(t, port, 'GET / HTTP/1.1\r\nHost: OTHER.localhost:8080\r\n\r\n'), /\r\n\r\nb$/)
    t.equal(statusOf(await ask(t, port, 'GET / HTTP/1.1\r\nHost: nobody\r\n\r\n')), 421)
    plane.apply(table([pool([target(origin)])]))
    t.equal(statusOf(await ask(t, port, 'GET / HTTP/1.1\r\nHost: nobody\r\n\r\n')), 200, 'alone it takes any host')
    t.equal(open(plane), 0)
  },
)
