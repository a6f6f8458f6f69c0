import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import {
  answering,
  ask,
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
import { until } from '../../support/until.ts'

const UPGRADE = 'GET /chat HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

interface Test {
  teardown(fn: () => unknown): void
}

/** A WebSocket echo as an instance; tells how each connection closed. */
async function startEcho(
  t: Test,
): Promise<{ port: number; closes: number[]; requests: IncomingMessage[]; resets: string[]; hello: () => void }> {
  const http = createServer()
  const server = new WebSocketServer({ server: http })
  const closes: number[] = []
  const requests: IncomingMessage[] = []
  const resets: string[] = []
  http.on('connection', (socket: Socket) => socket.on('error', error => resets.push(error.message)))
  server.on('connection', (socket, request) => {
    requests.push(request)
    socket.on('error', () => {})
    socket.on('message', (data, binary) => socket.send(data, { binary }))
    socket.on('close', code => closes.push(code))
  })
  await new Promise<void>(resolve => {
    http.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    for (const client of server.clients) client.terminate()
    http.close()
    http.closeAllConnections()
  })
  return {
    port: (http.address() as AddressInfo).port,
    closes,
    requests,
    resets,
    hello: () => {
      for (const client of server.clients) client.send('hello')
    },
  }
}

async function dial(t: Test, port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`)
  t.teardown(() => socket.terminate())
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return socket
}

async function echo(socket: WebSocket, data: string | Buffer): Promise<string> {
  socket.send(data)
  return new Promise(resolve => {
    socket.once('message', got => resolve((got as Buffer).toString('latin1')))
  })
}

void t.test('a WebSocket passes through both ways and is counted until it ends', async t => {
  const origin = await startEcho(t)
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])]))
  const socket = await dial(t, port)
  t.match(origin.requests[0]?.headers['x-forwarded-for'], '127.0.0.1')
  t.equal(await echo(socket, 'hi'), 'hi')
  const big = Buffer.alloc(3_000_000, 'abcdefg')
  t.equal(await echo(socket, big), big.toString('latin1'))
  t.same(Object.values(plane.status().inFlight), [1])
  t.equal(open(plane), 1)
  socket.close(1000)
  await until('both sides are closed', () => origin.closes.length === 1 && socket.readyState === WebSocket.CLOSED)
  t.same(origin.closes, [1000])
  await until('it is counted', () => rows().answered === 1)
  t.same(plane.status().inFlight, {})
})

void t.test('at the end of a drain a WebSocket gets a Close frame both ways and no reset', async t => {
  const origin = await startEcho(t)
  const old = target(origin)
  const { plane, port, drained, rows } = await startPlane(t, table([pool([old])]))
  const sockets = await Promise.all([dial(t, port), dial(t, port), dial(t, port)])
  const closes: number[] = []
  const errors: Error[] = []
  for (const socket of sockets) {
    socket.on('close', code => closes.push(code))
    socket.on('error', error => errors.push(error))
  }
  plane.apply(table([pool([{ ...old, state: 'draining', drainMs: 300 }])]))
  const [first] = sockets
  if (first !== undefined) t.equal(await echo(first, 'still'), 'still', 'it goes on until the deadline')
  await until('all are closed', () => closes.length === 3 && origin.closes.length === 3)
  t.same(closes, [1001, 1001, 1001])
  t.same(origin.closes, [1001, 1001, 1001])
  t.same(errors, [])
  t.same(origin.resets, [])
  await until('its count is zero', () => drained() === 1)
  t.equal(rows().answered, 3)
  t.same(rows().broken, {})
})

void t.test('a WebSocket without a byte either way gets a Close frame after the idle time', async t => {
  const origin = await startEcho(t)
  const limits = { tunnelIdleTimeoutMs: 300 }
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])], { limits }))
  const socket = await dial(t, port)
  const errors: Error[] = []
  let code = 0
  socket.on('error', error => errors.push(error))
  socket.on('close', given => {
    code = given
  })
  t.equal(plane.tunnels.open, 1)
  await until('it is closed', () => code !== 0 && origin.closes.length === 1)
  t.equal(code, 1001)
  t.same(origin.closes, [1001])
  t.same(errors, [])
  await until('it is counted', () => rows().answered === 1)
  t.equal(plane.tunnels.open, 0)
})

void t.test('a Close frame waits for the end of the frame under way', async t => {
  let instance: Socket | null = null
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.startsWith('GET')) return
    clear()
    if (instance !== null) {
      socket.write(SWITCHED, 'latin1')
      return
    }
    instance = socket
    // A frame of 10 bytes, of which 4 come now.
    socket.write(`${SWITCHED}\x82\x0aabcd`, 'latin1')
  })
  const old = target(origin)
  const { plane, port, rows } = await startPlane(t, table([pool([old])]))
  const client = await rawClient(t, port, UPGRADE)
  await client.until(text => text.endsWith('abcd'))
  // A masked frame of 6 bytes without its last two.
  client.send('\x82\x86\0\0\0\0wxyz')
  await until('the instance has it', () => origin.received[0]?.endsWith('wxyz'))
  const idle = await rawClient(t, port, UPGRADE)
  await idle.until(text => text.includes('101'))
  plane.apply(table([pool([{ ...old, state: 'draining', drainMs: 0 }])]))
  // Another tunnel, between two frames, shows when the deadline is met.
  await idle.until(text => text.endsWith('\x88\x02\x03\xe9'))
  idle.socket.end()
  t.ok(client.text.endsWith('abcd'), 'no Close within a frame')
  ;(instance as Socket | null)?.write('efghij\x82\x01x', 'latin1')
  client.send('12\x82\x81\0\0\0\0x')
  await client.end()
  t.ok(client.text.endsWith('abcdefghij\x88\x02\x03\xe9'), 'the frame, the Close, nothing after it')
  await until('the instance has its Close', () => origin.received[0]?.endsWith('wxyz12\x88\x82\0\0\0\0\x03\xe9'))
  client.socket.end()
  await until('it is over', () => open(plane) === 0)
  t.equal(client.failed, null)
  t.equal(rows().answered, 2)
})

void t.test('a WebSocket that never finishes its frame is cut 2 s after the deadline', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.startsWith('GET')) return
    clear()
    socket.write(`${SWITCHED}\x82\x0aabcd`, 'latin1')
  })
  const old = target(origin)
  const { plane, port, rows } = await startPlane(t, table([pool([old])]))
  const client = await rawClient(t, port, UPGRADE)
  await client.until(text => text.endsWith('abcd'))
  plane.apply(table([pool([{ ...old, state: 'draining', drainMs: 0 }])]))
  await client.end()
  await until('it is counted', () => open(plane) === 0)
  t.same(rows().broken, { 'drain-deadline': 1 })
  t.same(plane.status().inFlight, {})
})

void t.test('bytes sent with the upgrade are not lost, on either side', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.startsWith('GET')) return
    clear()
    socket.write(`${SWITCHED}\x81\x02hi`, 'latin1')
  })
  const { port } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, `${UPGRADE}\x81\x81\0\0\0\0a`)
  t.equal(await client.until(text => text.endsWith('hi')), `${SWITCHED}\x81\x02hi`)
  await until('the early frame is there', () => origin.received[0]?.endsWith('\r\n\r\n\x81\x81\0\0\0\0a'))
  t.match(origin.received[0], /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/)
})

void t.test(
  'an upgrade that is refused is an ordinary answer, h2c and upgrades with a body are ordinary requests',
  async t => {
    const origin = await answering(t, ok('no'))
    const { port } = await startPlane(t, table([pool([target(origin)])]))
    const client = await rawClient(t, port, UPGRADE)
    t.equal(statusOf(await client.until(text => text.endsWith('no'))), 200)
    client.text = ''
    client.send(UPGRADE.replace('websocket', 'h2c'))
    await client.until(text => text.endsWith('no'))
    client.text = ''
    client.send(`${UPGRADE.replace('GET', 'POST').slice(0, -2)}Content-Length: 1\r\n\r\nx`)
    await client.until(text => text.endsWith('no'))
    const [first = '', ...rest] = (origin.received[0] ?? '').split(/(?=(?:GET|POST) \/)/)
    t.match(first, /Upgrade: websocket/)
    for (const request of rest) t.notMatch(request, /Upgrade/)
    const wrong = await startOrigin(t, (_text, socket) => socket.write(SWITCHED.replace('websocket', 'h2c')))
    const other = await startPlane(t, table([pool([target(wrong)])]))
    t.equal(statusOf(await ask(t, other.port, UPGRADE)), 502)
  },
)

void t.test('a side that is reset ends the tunnel for the other', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.startsWith('GET')) return
    clear()
    socket.write(SWITCHED)
  })
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, UPGRADE)
  await client.until(text => text.includes('101'))
  client.socket.resetAndDestroy()
  await until('the instance sees it', () => origin.sockets[0]?.destroyed)
  const second = await rawClient(t, port, UPGRADE)
  await second.until(text => text.includes('101'))
  origin.sockets[1]?.resetAndDestroy()
  await until('the client sees it', () => second.closed)
  t.equal(rows().clientGone, 1)
  t.same(rows().broken, { 'upstream-closed': 1 })
  t.equal(open(plane), 0)
})

void t.test('a tcp endpoint is a tunnel that is chosen for, counted, held and drained', async t => {
  const line = listener({ key: 'app/production/db/tcp', protocol: 'tcp', port: 9, hostNames: [] })
  const lines = { listeners: [line] }
  const { plane, port, rows, drained } = await startPlane(
    t,
    table([pool([], { expecting: true })], lines),
    '127.0.0.1:9',
  )
  const held = await rawClient(t, port, 'early')
  await until('it is held', () => plane.hold.size === 1)
  const origin = await startOrigin(t, (text, socket) => socket.write(`[${text}]`))
  const old = target(origin)
  plane.apply(table([pool([old])], lines))
  await held.until(text => text === '[early]')
  const half = await rawClient(t, port)
  half.socket.end('bye')
  t.equal(await half.end(), '[bye]')
  await until('one is left', () => plane.status().inFlight[old.key] === 1)
  plane.apply(table([pool([{ ...old, state: 'draining', drainMs: 0 }])], lines))
  await held.end()
  t.equal(held.failed, null)
  held.socket.end()
  await until('its count is zero', () => drained() === 1)
  t.equal(rows(line.key).answered, 2)
  const refused = await rawClient(t, port)
  await until('nothing is ready', () => refused.closed)
  t.same(rows(line.key).broken, { 'no-instance': 1 })
  t.equal(open(plane), 0)
})

void t.test('a peer that takes nothing more of a tunnel half over is given up after the idle time', async t => {
  const line = listener({ key: 'app/production/db/tcp', protocol: 'tcp', port: 9, hostNames: [] })
  const origin = await startOrigin(t, (_text, socket) => socket.end(Buffer.alloc(64 * 1024 * 1024)))
  const tables = table([pool([target(origin)])], { listeners: [line], limits: { idleTimeoutMs: 300 } })
  const { plane, port, rows } = await startPlane(t, tables, '127.0.0.1:9')
  const client = await rawClient(t, port)
  client.socket.pause()
  client.socket.end('give')
  await until('it is counted', () => rows(line.key).arrived === 1)
  await until('it is over', () => open(plane) === 0 && plane.connections === 0)
  t.equal(rows(line.key).clientGone, 1)
  await until('the instance is let go', () => origin.sockets[0]?.destroyed)
})
