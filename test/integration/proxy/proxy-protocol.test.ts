import t from 'tap'
import { until } from '../../support/until.ts'
import { DEFAULT_OPTIONS } from '../../../src/contracts/routing.ts'
import {
  answering,
  isWhole,
  listener,
  ok,
  pool,
  rawClient,
  startOrigin,
  startPlane,
  statusOf,
  table,
  target,
} from './support.ts'
import { get, httpsListener, serverCertificate, withCertificates } from './tls-support.ts'
import { connect as connectTls } from 'node:tls'

const OPTIONS = { ...DEFAULT_OPTIONS, proxyProtocol: true }
const V1 = 'PROXY TCP4 203.0.113.7 198.51.100.1 51234 443\r\n'
const V2 =
  '\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24' +
  '\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xc8\x22\x01\xbb'
const LOCAL = '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0'

void t.test("the addresses of the header are the client's, however it is split", async t => {
  const origin = await answering(t, ok('hello'))
  const { port } = await startPlane(
    t,
    table([pool([target(origin)])], { listeners: [listener({ options: { ...OPTIONS, forwarded: true } })] }),
  )
  const cases = [
    [
      V1,
      /\r\nX-Forwarded-For: 203\.0\.113\.7\r\n[^]*\r\nX-Forwarded-Port: 443\r\n[^]*\r\nForwarded: for=203\.0\.113\.7;/,
    ],
    [
      V2,
      /\r\nX-Forwarded-For: 2001:db8::1\r\n[^]*\r\nX-Forwarded-Port: 443\r\n[^]*\r\nForwarded: for="\[2001:db8::1\]";/,
    ],
    ['PROXY UNKNOWN\r\n', /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/],
    [LOCAL, /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/],
  ] as const
  for (const [header, told] of cases) {
    const text = header + get('app.localhost')
    for (const sizes of [[text.length], [1], [header.length], [header.length - 1], [header.length + 5]]) {
      const client = await rawClient(t, port)
      const [size = 1] = sizes
      for (let at = 0; at < text.length; at += size) client.send(text.slice(at, at + size))
      t.equal(statusOf(await client.until(isWhole)), 200)
      t.match(origin.received.join('').slice(-600), told)
      client.socket.destroy()
    }
  }
})

void t.test('without a whole and valid header the connection is closed and nothing is sent on', async t => {
  const origin = await answering(t, ok('hello'))
  const { port, plane } = await startPlane(
    t,
    table([pool([target(origin)])], { listeners: [listener({ options: OPTIONS })], limits: { headTimeoutMs: 300 } }),
  )
  const broken = [get('app.localhost'), `${V1.slice(0, -2)}\n`, V2.replace('\x21\x21', '\x31\x21'), 'PROXY ']
  for (const text of broken) {
    const client = await rawClient(t, port, text)
    t.equal(await client.end(), '', JSON.stringify(text.slice(0, 20)))
  }
  const left = await rawClient(t, port, 'PROXY TCP4')
  left.socket.end()
  await left.end()
  await until('nothing is left of them', () => plane.connections === 0)
  t.match(plane.intake.failures.counts, { 'proxy-header': 4, timeout: 1 })
  t.same(origin.received, [])
})

void t.test('before TLS and before a tcp endpoint it is taken off, too', async t => {
  const certificate = await serverCertificate(['app.localhost'])
  const origin = await startOrigin(t, (text, socket) => {
    if (text.includes('\r\n\r\n')) socket.write(ok('hello'))
    else if (text.endsWith('ping')) socket.write('pong')
  })
  const tcp = listener({ key: 'app/production/web/tcp', protocol: 'tcp', port: 2, options: OPTIONS })
  const { port, listen } = await startPlane(
    t,
    withCertificates(
      table([pool([target(origin)])], { listeners: [httpsListener([certificate], { options: OPTIONS }), tcp] }),
      [certificate],
    ),
  )
  const raw = await rawClient(t, port)
  raw.socket.removeAllListeners('data')
  raw.socket.write(V1)
  const secure = connectTls({ socket: raw.socket, servername: 'app.localhost', ca: certificate.made.ca })
  secure.write(get('app.localhost'))
  let text = ''
  secure.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  await until('it is answered', () => isWhole(text))
  t.match(
    origin.received.join(''),
    /X-Forwarded-For: 203\.0\.113\.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n/,
  )
  secure.destroy()

  const tunnel = await rawClient(t, await listen('127.0.0.1:2'), `${V1}ping`)
  t.equal(await tunnel.until(came => came.length > 0), 'pong')
  t.match(origin.received, [/./, /^ping$/], 'the instance gets what follows the header')
})
