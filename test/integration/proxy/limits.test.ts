import t from 'tap'
import { DEFAULT_OPTIONS, type RoutingTable } from '../../../src/contracts/routing.ts'
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
} from './support.ts'

const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'

function limited(origin: Origin, maxBodyBytes: number): RoutingTable {
  return table([pool([target(origin)])], { listeners: [listener({ options: { ...DEFAULT_OPTIONS, maxBodyBytes } })] })
}

/** Answers what is whole, and keeps the rest waiting. */
async function careful(t: Parameters<typeof startOrigin>[0]): Promise<Origin> {
  return startOrigin(t, (text, socket, clear) => {
    const length = /Content-Length: (\d+)/.exec(text)
    const headEnd = text.indexOf('\r\n\r\n')
    const isDone = text.includes('chunked')
      ? /\r\n0\r\n(?:.+\r\n)*\r\n$/.test(text)
      : headEnd !== -1 && text.length - headEnd - 4 >= Number(length?.[1] ?? 0)
    if (!isDone) return
    clear()
    socket.write(ok('x'))
  })
}

const TOO_LONG = /^HTTP\/1\.1 413 [\s\S]*Proxy-Status: vipswap; error=http_request_error[\s\S]*longer than 10 bytes/

void t.test('a body that says it is too long is refused before any of it is asked for', async t => {
  const origin = await careful(t)
  const { plane, port, rows } = await startPlane(t, limited(origin, 10))
  const post = (length: number, body: string, fields = ''): string =>
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n${fields}\r\n${body}`
  t.equal(statusOf(await ask(t, port, post(10, '0123456789'))), 200)
  t.match(await ask(t, port, post(11, '')), TOO_LONG)
  t.match(await ask(t, port, post(5_000_000_000, '')), TOO_LONG)
  const expecting = await ask(t, port, post(11, '', 'Expect: 100-continue\r\n'))
  t.match(expecting, TOO_LONG)
  const client = await rawClient(t, port, post(11, '01234567890') + GET)
  t.match(
    await client.until(text => isWhole(text) && text.includes(' 200 ')),
    TOO_LONG,
    'one that is here whole ends nothing',
  )
  t.equal(origin.received.join('').match(/POST/g)?.length, 1)
  t.match(rows(), { arrived: 6, refused: 4, answered: 2, broken: {} })
  t.equal(open(plane), 0)
})

void t.test('a chunked body is refused as soon as it is too long, and never reaches the instance as whole', async t => {
  const origin = await careful(t)
  const { plane, port, rows } = await startPlane(t, limited(origin, 10))
  const exact = await rawClient(t, port, `${CHUNKED}5;ext=1\r\nabcde\r\n`)
  exact.send('5\r\nfghij\r\n0\r\nX-Trailer: long enough to count\r\n\r\n')
  t.equal(statusOf(await exact.until(isWhole)), 200, 'framing does not count')

  t.match(await ask(t, port, `${CHUNKED}b\r\n01234567890\r\n0\r\n\r\n`), TOO_LONG)
  t.equal(origin.sockets.length, 1)
  const slow = await rawClient(t, port, `${CHUNKED}5\r\nabcde\r\n`)
  await until('it began', () => origin.received.join('').split('abcde').length === 3)
  slow.send('6\r\nfghijk\r\n')
  t.match(await slow.until(isWhole), TOO_LONG)
  await slow.end()
  await until('the instance is let go', () => origin.sockets.at(-1)?.destroyed === true)
  t.notMatch(origin.received.at(-1), /fghijk/)

  const last = await rawClient(t, port, `${CHUNKED}5\r\nabcde\r\n`)
  await until('it began', () => origin.received.join('').split('abcde').length === 4)
  last.send(`6\r\nfghijk\r\n0\r\n\r\n${GET}`)
  t.match(await last.until(text => isWhole(text) && text.includes(' 200 ')), TOO_LONG, 'what follows it is served')
  t.match(rows(), { refused: 3, answered: 2, broken: {} })
  t.equal(open(plane), 0)
})

void t.test('a body that grows too long while it is held is refused', async t => {
  const options = { ...DEFAULT_OPTIONS, maxBodyBytes: 10 }
  const { plane, port } = await startPlane(
    t,
    table([pool([], { expecting: true })], { listeners: [listener({ options })] }),
  )
  const client = await rawClient(t, port, `${CHUNKED}5\r\nabcde\r\n`)
  await until('it is held', () => plane.hold.size === 1)
  client.send('6\r\nfghijk\r\n')
  t.match(await client.until(isWhole), TOO_LONG)
  t.equal(plane.hold.size, 0)
})

void t.test('a body that grows too long while it is being answered ends the answer visibly', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('abcde')) return
    clear()
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc')
  })
  const { plane, port, rows } = await startPlane(t, limited(origin, 10))
  const client = await rawClient(t, port, `${CHUNKED}5\r\nabcde\r\n`)
  await client.until(text => text.endsWith('abc'))
  client.send('6\r\nfghijk\r\n')
  await until('it is cut', () => client.closed)
  t.match(rows(), { refused: 1, broken: {} })
  t.equal(open(plane), 0)
})

void t.test('every 503 of the proxy is the maintenance page where there is one', async t => {
  const body = '<!doctype html><p>Zurück in fünf Minuten ☕</p>\n'
  const limits = {
    maintenancePage: { contentType: 'text/html; charset=utf-8\r\nX-Evil: 1', body },
    holdTimeoutMs: 200,
    holdMax: 1,
  }
  const { plane, port } = await startPlane(
    t,
    table([], { limits, listeners: [listener({ pool: null, reason: 'suspended' })] }),
  )
  const page = async (request: string): Promise<void> => {
    const text = await ask(t, port, request)
    t.match(text, /^HTTP\/1\.1 503 /)
    t.match(text, '\r\nContent-Type: text/html; charset=utf-8')
    t.notMatch(text, /\r\nX-Evil/)
    t.match(text, `\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`)
    t.match(text, '\r\nCache-Control: no-store\r\n')
    t.match(text, /\r\nRetry-After: 1\r\n/)
    t.match(text, /\r\nProxy-Status: vipswap; error=destination_unavailable; details="/)
    t.equal(Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1').toString(), body)
  }
  await page(GET)
  plane.apply(table([pool([])], { limits }))
  await page(GET)
  plane.apply(table([pool([], { expecting: true })], { limits }))
  const held = await rawClient(t, port, GET)
  await until('it is held', () => plane.hold.size === 1)
  await page(GET)
  t.equal(statusOf(await held.until(isWhole)), 503)
  await page(GET)

  plane.apply(table([pool([])], { limits }))
  const head = await rawClient(t, port, 'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  t.match(
    await head.end(),
    new RegExp(`^HTTP/1\\.1 503 [\\s\\S]*Content-Length: ${Buffer.byteLength(body)}[\\s\\S]*\\r\\n\\r\\n$`),
  )
  const broken = await answering(t, 'nonsense\r\n\r\n')
  plane.apply(table([pool([target(broken)])], { limits }))
  t.match(await ask(t, port, GET), /^HTTP\/1\.1 502 [\s\S]*Content-Type: text\/plain[\s\S]*502 Bad Gateway: /)
})

void t.test('a refused request whose long body came with its head is read to its end', async t => {
  const size = 4 * 1024 * 1024
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (text.length < size) return
    clear()
    socket.write(ok('x'))
  })
  const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port)
  const post = (length: number): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`
  // After this the system takes in more of what this connection is sent than the proxy keeps.
  client.send(post(size) + 'b'.repeat(size))
  await client.until(isWhole)
  client.text = ''
  plane.apply(table([], { listeners: [listener({ pool: null })] }))
  client.send(post(10 * size) + 'b'.repeat(size / 2))
  t.equal(statusOf(await client.until(isWhole)), 503)
  const failure = await new Promise(resolve => client.socket.write('b'.repeat(9 * size), resolve))
  t.notOk(failure, 'the rest is taken')
})
