import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import type { DataPlaneLimits, Listener, Pool } from '../../../src/contracts/routing.ts'
import { tempDir } from '../../support/temp.ts'
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
  type Origin,
  type TestPlane,
} from './support.ts'

const GET = 'GET /path?q=1 HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 2\r\n\r\nhi'
const UPGRADE = 'GET /chat HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'

interface Test {
  teardown(fn: () => unknown): void
}
type Line = Record<string, unknown>

interface Logged extends TestPlane {
  readonly path: string
  readonly text: () => string
  /** All lines, once there are `count`. */
  readonly lines: (count?: number) => Promise<Line[]>
}

async function logged(
  t: Test,
  pools: readonly Pool[],
  { limits = {}, listeners = [listener()] }: { limits?: Partial<DataPlaneLimits>; listeners?: Listener[] } = {},
): Promise<Logged> {
  const path = join(tempDir(t), 'access.log')
  const troubles: string[] = []
  const first = table(pools, { listeners, limits: { accessLog: 'json', ...limits } })
  const plane = await startPlane(t, first, '127.0.0.1:1', { path, onTrouble: problem => troubles.push(problem) })
  const text = (): string => readFileSync(path, 'latin1')
  const lines = async (count = 1): Promise<Line[]> =>
    until(`${count} lines`, () => {
      const all = text().split('\n').slice(0, -1)
      return all.length >= count ? all.map(line => JSON.parse(line) as Line) : null
    })
  return { ...plane, path, text, lines }
}

/** An instance that does nothing before it is told to. */
async function silent(t: Test): Promise<Origin & { got: () => Promise<Socket> }> {
  const origin = await startOrigin(t, () => {})
  const got = async (): Promise<Socket> =>
    until('the instance got it', () => (origin.received.at(-1) ? origin.sockets.at(-1) : null))
  return { ...origin, got }
}

void t.test('a whole answer', async t => {
  const origin = await answering(t, ok('hello'))
  const { port, lines, path } = await logged(t, [pool([target(origin)])])
  const fields = 'User-Agent: curl/8\r\nReferer: http://a.example/\r\nX-Forwarded-For: 9.9.9.9\r\n'
  const client = await rawClient(t, port, POST.replace('Content', `${fields}Content`).replace(' / ', ' /a?b=c '))
  await client.until(isWhole)
  const [line = {}] = await lines()
  t.match(line, {
    time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    vip: 'app/production/web/http',
    service: 'app',
    slot: 'production',
    client_addr: '127.0.0.1',
    client_port: client.socket.localPort,
    protocol: 'HTTP/1.1',
    method: 'POST',
    host: 'app.localhost',
    target: '/a?b=c',
    status: 200,
    outcome: 'answered',
    ending: '--',
    bytes_in: 2,
    bytes_out: 5,
    deployment: 'd1',
    instance: 'web_IN_0',
    version: '1.0.0',
    user_agent: 'curl/8',
    referer: 'http://a.example/',
  })
  t.notOk('forwarded_for' in line, 'whom nobody trusts is not quoted')
  t.ok(Math.abs(Date.parse(String(line['time'])) - Date.now()) < 60_000)
  const [total = 0, first = 0, upstream = 0] = ['duration_ms', 'first_byte_ms', 'upstream_ms'].map(name =>
    Number(line[name]),
  )
  t.ok(0 < first && first <= total && 0 < upstream && upstream <= total, JSON.stringify(line))
  t.match(origin.received[0], `X-Request-ID: ${String(line['request_id'])}\r\n`)
  t.equal(statSync(path).mode & 0o777, 0o640 & ~process.umask())
})

void t.test('who ended it, and when', async t => {
  const limits = { headTimeoutMs: 50, responseTimeoutMs: 50 }
  const refusing = target({ port: 1 })
  const expect = async (
    t: Test & { match(got: unknown, wanted: unknown): unknown },
    { lines, plane }: Logged,
    wanted: Line,
  ): Promise<void> => {
    const [line] = await lines()
    t.match(line, wanted)
    await until('nothing is open', () => open(plane) === 0)
  }

  await t.test('CH: the client goes in the middle of a head', async t => {
    const log = await logged(t, [])
    const client = await rawClient(t, log.port, 'GET /half HTTP/1.1\r\nHo')
    client.socket.end()
    await expect(t, log, { ending: 'CH', outcome: 'client-gone', status: 499, method: 'GET', target: '/half' })
  })
  await t.test('CH: or sends it too slowly', async t => {
    const log = await logged(t, [], { limits })
    await rawClient(t, log.port, 'GET /slow HTTP/1.1\r\nHo')
    await expect(t, log, { ending: 'CH', outcome: 'refused', status: 408, target: '/slow' })
  })
  await t.test('PH: the proxy refuses a head', async t => {
    const log = await logged(t, [])
    await ask(t, log.port, 'GET /x HTTP/1.1\r\n\r\n')
    await expect(t, log, { ending: 'PH', outcome: 'refused', status: 400, target: '/x', service: 'app' })
  })
  await t.test('PW: nothing is there', async t => {
    const log = await logged(t, [], { listeners: [listener({ pool: null })] })
    await ask(t, log.port, GET)
    await expect(t, log, { ending: 'PW', outcome: 'refused', status: 503, method: 'GET', target: '/path?q=1' })
  })
  await t.test('PW: or nothing became ready in time', async t => {
    const log = await logged(t, [pool([], { expecting: true })], { limits: { holdTimeoutMs: 50 } })
    await ask(t, log.port, GET)
    const [line] = await log.lines()
    t.match(line, { ending: 'PW', outcome: 'hold-expired', status: 503 })
    t.ok(Number(line?.['held_ms']) >= 50)
  })
  await t.test('CW: the client goes while it is held', async t => {
    const log = await logged(t, [pool([], { expecting: true })])
    const client = await rawClient(t, log.port, GET)
    await until('it is held', () => log.plane.hold.size === 1)
    t.match(log.plane.metrics.read(), { connections: { '': 1 }, heldRequests: { '': 1 } })
    client.socket.resetAndDestroy()
    await expect(t, log, { ending: 'CW', outcome: 'client-gone', status: 499 })
  })
  await t.test('IC: no connection to the instance', async t => {
    const log = await logged(t, [pool([refusing])])
    await ask(t, log.port, GET)
    await expect(t, log, { ending: 'IC', outcome: 'connect-failed', status: 502, instance: 'web_IN_0' })
    t.match(log.plane.metrics.read(), { connectFailures: { '': 1 } })
  })
  await t.test('CS: the client goes before the answer', async t => {
    const origin = await silent(t)
    const log = await logged(t, [pool([target(origin)])])
    const client = await rawClient(t, log.port, GET)
    await origin.got()
    client.socket.resetAndDestroy()
    await expect(t, log, { ending: 'CS', outcome: 'client-gone', status: 499, request_id: /^[0-9a-f]{32}$/ })
  })
  await t.test('IS: the instance closes without an answer', async t => {
    const origin = await silent(t)
    const log = await logged(t, [pool([target(origin)])])
    void ask(t, log.port, POST)
    const socket = await origin.got()
    socket.destroy()
    await expect(t, log, { ending: 'IS', outcome: 'upstream-closed', status: 502, bytes_in: 2 })
  })
  await t.test('IS: or is too slow', async t => {
    const origin = await silent(t)
    const log = await logged(t, [pool([target(origin)])], { limits })
    await ask(t, log.port, POST)
    await expect(t, log, { ending: 'IS', outcome: 'timeout', status: 504 })
  })
  await t.test('IA: the instance breaks off', async t => {
    const origin = await silent(t)
    const log = await logged(t, [pool([target(origin)])])
    const client = await rawClient(t, log.port, GET)
    const socket = await origin.got()
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
    await client.until(text => text.endsWith('abc'))
    socket.destroy()
    await expect(t, log, { ending: 'IA', outcome: 'upstream-closed', status: 200, bytes_out: 3 })
  })
  await t.test('CA: the client goes in the middle of the answer', async t => {
    const origin = await silent(t)
    const log = await logged(t, [pool([target(origin)])])
    const client = await rawClient(t, log.port, GET)
    const socket = await origin.got()
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
    await client.until(text => text.endsWith('abc'))
    client.socket.resetAndDestroy()
    await expect(t, log, { ending: 'CA', outcome: 'client-gone', status: 200, bytes_out: 3 })
  })
  await t.test('PS: the body breaks its framing', async t => {
    const origin = await silent(t)
    const log = await logged(t, [pool([target(origin)])])
    const client = await rawClient(t, log.port, GET.replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n'))
    await origin.got()
    client.send('zz\r\n')
    await expect(t, log, { ending: 'PS', outcome: 'refused', status: 400 })
  })
  await t.test('DS: the drain is over', async t => {
    const origin = await silent(t)
    const one = target(origin)
    const log = await logged(t, [pool([one])])
    await rawClient(t, log.port, GET)
    await origin.got()
    log.plane.apply(table([pool([{ ...one, state: 'draining' }])], { limits: { accessLog: 'json' } }))
    log.plane.apply(table([pool([])], { limits: { accessLog: 'json' } }))
    await expect(t, log, { ending: 'DS', outcome: 'drain-deadline', status: 503 })
  })
  for (const [ending, outcome, act] of [
    ['CT', 'answered', (client: Socket) => client.end()],
    ['IT', 'answered', (_client: Socket, instance: Socket) => instance.end()],
    ['CT', 'client-gone', (client: Socket) => client.resetAndDestroy()],
    ['IT', 'upstream-closed', (_client: Socket, instance: Socket) => instance.resetAndDestroy()],
  ] as const) {
    await t.test(`${ending}: a tunnel is ${outcome}`, async t => {
      const origin = await startOrigin(t, (text, socket, clear) => {
        clear()
        socket.write(text.startsWith('GET') ? SWITCHED : text)
      })
      const log = await logged(t, [pool([target(origin)])])
      const client = await rawClient(t, log.port, UPGRADE)
      await client.until(text => text.endsWith('\r\n\r\n'))
      client.send('hello')
      await client.until(text => text.endsWith('hello'))
      t.same(log.plane.metrics.read().tunnels, { '': 1 })
      const [instance] = origin.sockets
      if (instance === undefined) throw new Error('no connection')
      client.socket.on('end', () => client.socket.end())
      act(client.socket, instance)
      await expect(t, log, { ending, outcome, status: 101, bytes_in: 5, bytes_out: 5, target: '/chat' })
      t.same(log.plane.metrics.read().tunnels, {})
    })
  }
  await t.test('DT: a drain ends a tunnel in order', async t => {
    const origin = await startOrigin(t, (_text, socket, clear) => {
      clear()
      socket.write(SWITCHED)
    })
    const one = target(origin)
    const log = await logged(t, [pool([one])])
    const client = await rawClient(t, log.port, UPGRADE)
    await client.until(text => text.endsWith('\r\n\r\n'))
    client.socket.on('end', () => client.socket.end())
    log.plane.apply(table([pool([{ ...one, state: 'draining', drainMs: 0 }])], { limits: { accessLog: 'json' } }))
    await expect(t, log, { ending: 'DT', outcome: 'answered', status: 101 })
  })
  await t.test('a connection to a tcp endpoint is a line', async t => {
    const origin = await startOrigin(t, (text, socket, clear) => {
      clear()
      socket.write(text)
    })
    const log = await logged(t, [pool([target(origin)])], { listeners: [listener({ protocol: 'tcp' })] })
    const client = await rawClient(t, log.port, 'ping')
    await client.until(text => text === 'ping')
    client.socket.end()
    await expect(t, log, {
      protocol: 'TCP',
      ending: 'CT',
      outcome: 'answered',
      bytes_in: 4,
      bytes_out: 4,
      status: null,
    })
  })
})

void t.test('nothing a client sends ends a line, a string, or reaches a terminal', async t => {
  const origin = await answering(t, ok('x'))
  for (const format of ['json', 'common'] as const) {
    const { port, text } = await logged(t, [pool([target(origin)])], { limits: { accessLog: format } })
    const agent = 'evil" "\\ \x9b31m \xff \t{"status":200}'
    const requests = [
      `GET /\\"x HTTP/1.1\r\nHost: a\r\n\r\n`,
      `GET /a?b=\\x1b\\ HTTP/1.1\r\nHost: app.localhost\r\nUser-Agent: ${agent}\r\nReferer: ${agent}\r\n\r\n`,
      'GET /\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /\u0085x HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /a\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /\x00\r\n\r\n',
      `GET /${'x'.repeat(5000)} HTTP/1.1\r\nHost: app.localhost\r\nUser-Agent: ${'y'.repeat(5000)}\r\n\r\n`,
    ]
    for (const request of requests) await ask(t, port, request)
    const lines = await until('all are logged', () => {
      const all = text().split('\n')
      return all.length === requests.length + 1 ? all.slice(0, -1) : null
    })
    t.notMatch(text(), /[^\x20-\x7e\n]/)
    for (const line of lines) {
      t.ok(line.length < 6000, 'bounded')
      if (format === 'json') t.ok(JSON.parse(line))
      else
        t.match(
          line,
          /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "[^"]*" \d{3} (\d+|-) "[^"]*" "[^"]*"$/,
        )
    }
    if (format === 'json') {
      const found = lines.map(line => JSON.parse(line) as Line).find(line => line['referer'] !== undefined)
      t.equal(found?.['user_agent'], 'evil\\x22 \\x22\\x5c \\x9b31m \\xff \\x09{\\x22status\\x22:200}')
    }
  }
})

void t.test('the common format', async t => {
  const origin = await answering(t, ok('hello'))
  const { port, text } = await logged(t, [pool([target(origin)])], { limits: { accessLog: 'common' } })
  await ask(t, port, GET.replace('\r\n\r\n', '\r\nUser-Agent: curl/8\r\n\r\n'))
  await until('it is logged', () => text() !== '')
  t.match(text(), /^127\.0\.0\.1 - - \[[^\]]+\] "GET \/path\?q=1 HTTP\/1\.1" 200 5 "-" "curl\/8"\n$/)
})

void t.test('off, nothing is written; on again, lines are appended', async t => {
  const origin = await answering(t, ok('x'))
  const pools = [pool([target(origin)])]
  const { port, plane, lines } = await logged(t, pools)
  await ask(t, port, GET)
  await lines(1)
  plane.apply(table(pools))
  t.equal(plane.accessLog, null)
  await ask(t, port, GET)
  plane.apply(table(pools, { limits: { accessLog: 'json' } }))
  await ask(t, port, GET.replace('/path', '/again'))
  t.match(await lines(2), [{ target: '/path?q=1' }, { target: '/again?q=1' }])
})

void t.test('a log that nobody reads slows no request down', async t => {
  const path = join(tempDir(t), 'access.log')
  execFileSync('mkfifo', [path])
  const troubles: string[] = []
  const origin = await answering(t, ok('x'))
  const first = table([pool([target(origin)])], { limits: { accessLog: 'json' } })
  const { port, plane } = await startPlane(t, first, '127.0.0.1:1', {
    path,
    onTrouble: problem => troubles.push(problem),
  })
  await until('it is told', () => troubles.length > 0)
  t.match(troubles, [/ENXIO/])
  const client = await rawClient(t, port)
  for (let n = 0; n < 2000; n++) {
    client.text = ''
    client.send(GET.replace('/path', `/${'x'.repeat(200)}`))
    await client.until(isWhole)
  }
  await until('lines are dropped', () => (plane.accessLog?.dropped ?? 0) > 0)
  t.match(plane.metrics.read().accessLogDropped, { '': plane.accessLog?.dropped })
  const begun = performance.now()
  await plane.close(0)
  t.ok(performance.now() - begun < 5000)
})
