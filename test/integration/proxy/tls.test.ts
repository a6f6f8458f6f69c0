import { connect } from 'node:net'
import t from 'tap'
import { clientHello } from '../../support/client-hello.ts'
import { until } from '../../support/until.ts'
import {
  answering,
  ask,
  isWhole,
  ok,
  pool,
  rawClient,
  startOrigin,
  startPlane,
  statusOf,
  table,
  target,
} from './support.ts'
import { get, httpsListener, serverCertificate, shownFor, tlsAsk, tlsClient, withCertificates } from './tls-support.ts'
import type { ServerCertificate } from './tls-support.ts'
import type { Listener } from '../../../src/contracts/routing.ts'

/** Two services on one port: `one` has a certificate by name and a wildcard, `two` one of its own. */
async function shared(): Promise<{ certificates: ServerCertificate[]; listeners: Listener[] }> {
  const certificates = await Promise.all([
    serverCertificate(['one.example.org']),
    serverCertificate(['*.example.org']),
    serverCertificate(['two.example.net']),
  ])
  const [exact, wildcard, other] = certificates
  const one = httpsListener([exact, wildcard], { hostNames: ['one.example.org', 'more.example.org'] })
  const two = httpsListener([other], {
    key: 'two/production/web/https',
    service: 'two',
    hostNames: ['two.example.net'],
  })
  return { certificates, listeners: [one, two] }
}

void t.test('a server name decides over the certificate: exact, wildcard, else the first', async t => {
  const { certificates, listeners } = await shared()
  const origin = await answering(t, ok('hello'))
  const { port } = await startPlane(t, withCertificates(table([pool([target(origin)])], { listeners }), certificates))
  for (const [name, shown] of [
    ['one.example.org', 'one.example.org'],
    ['ONE.example.org', 'one.example.org'],
    ['more.example.org', '*.example.org'],
    ['unknown.example.org', '*.example.org'],
    ['a.b.example.org', 'one.example.org'],
    ['two.example.net', 'two.example.net'],
    ['elsewhere.test', 'one.example.org'],
    ['', 'one.example.org'],
  ] as const) {
    t.equal(await shownFor(t, port, name), shown, `${name} is shown ${shown}`)
  }
})

void t.test('requests pass, with TLS 1.2 and 1.3, and the instance is told how they came', async t => {
  const certificate = await serverCertificate(['app.localhost'])
  const origin = await answering(t, ok('hello'))
  const { port, rows, plane } = await startPlane(
    t,
    withCertificates(table([pool([target(origin)])], { listeners: [httpsListener([certificate])] }), [certificate]),
  )
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const client = await tlsClient(t, port, { minVersion: version, maxVersion: version, ca: certificate.made.ca })
    t.equal(client.socket.alpnProtocol, 'http/1.1')
    for (let n = 0; n < 3; n++) {
      client.text = ''
      client.send(get('app.localhost', 'X-Forwarded-Proto: ftp\r\n'))
      t.match(await client.until(isWhole), /^HTTP\/1\.1 200 [^]*hello$/)
    }
    client.socket.end()
    await until('the connection is gone', () => plane.connections === 0)
  }
  t.equal(rows('app/production/web/https').answered, 6)
  t.match(
    origin.received[0],
    /\r\nX-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: \d+\r\n/,
  )
  t.notMatch(origin.received.join(''), /ftp/)
})

void t.test('old versions, weak ciphers and protocols nobody speaks end in the handshake', async t => {
  const certificate = await serverCertificate(['app.localhost'])
  const { port, plane } = await startPlane(
    t,
    withCertificates(table([pool([])], { listeners: [httpsListener([certificate])] }), [certificate]),
  )
  await t.rejects(tlsClient(t, port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }))
  await t.rejects(tlsClient(t, port, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }))
  await t.rejects(tlsClient(t, port, { ALPNProtocols: ['h2'] }), 'HTTP/2 is offered only where a listener says so')
  await until('nothing is left of them', () => plane.connections === 0)
  t.equal(plane.intake.failures.counts.handshake, 3)
  t.match(plane.intake.failures.news(), { counts: { handshake: 3 } })
  t.equal(plane.intake.failures.news(), null, 'said once')
})

void t.test(
  'a request for a name of another listener is misdirected where certificate or clients asked for differ',
  async t => {
    const { certificates, listeners } = await shared()
    const [one, two] = listeners as [Listener, Listener]
    const alike = { ...one, key: 'three/production/web/https', service: 'three', hostNames: ['three.example.org'] }
    const origin = await answering(t, ok('hello'))
    const all = [one, two, alike]
    const { port } = await startPlane(
      t,
      withCertificates(table([pool([target(origin)])], { listeners: all }), certificates),
    )
    const servername = 'more.example.org'
    t.equal(statusOf(await tlsAsk(t, port, get('more.example.org'), { servername })), 200)
    t.equal(statusOf(await tlsAsk(t, port, get('one.example.org'), { servername })), 200, 'the same listener')
    t.equal(statusOf(await tlsAsk(t, port, get('three.example.org'), { servername })), 200, 'the same certificate')
    const client = await tlsClient(t, port, { servername })
    client.send(get('two.example.net'))
    t.equal(statusOf(await client.until(isWhole)), 421, 'another certificate')
    client.text = ''
    client.send(get('more.example.org'))
    t.equal(statusOf(await client.until(isWhole)), 200, 'the connection goes on')
    t.equal(statusOf(await tlsAsk(t, port, get('nobody.test'), { servername })), 421, 'nobody has that name')
  },
)

void t.test('a renewed certificate is shown to whoever comes next, open connections go on', async t => {
  const [old, renewed, other] = await Promise.all([
    serverCertificate(['app.localhost']),
    serverCertificate(['app.localhost'], { days: 60 }),
    serverCertificate(['other.localhost']),
  ])
  const origin = await answering(t, ok('hello'))
  const others = httpsListener([other], { key: 'other/production/web/https', hostNames: ['other.localhost'] })
  const tableWith = (mine: ServerCertificate): Parameters<typeof plane.apply>[0] =>
    withCertificates(table([pool([target(origin)])], { listeners: [httpsListener([mine]), others] }), [mine, other])
  const { port, plane } = await startPlane(t, withCertificates(table([]), []))
  plane.apply(tableWith(old))
  const before = await tlsClient(t, port, { ca: old.made.ca })
  before.send(get('app.localhost'))
  await before.until(isWhole)
  const others1 = await tlsClient(t, port, { servername: 'other.localhost', ca: other.made.ca })
  let session: Buffer | undefined
  others1.socket.on('session', ticket => {
    session = ticket
  })
  others1.send(get('other.localhost'))
  await others1.until(isWhole)
  plane.apply(tableWith(renewed))
  before.text = ''
  before.send(get('app.localhost'))
  t.equal(statusOf(await before.until(isWhole)), 200, 'the open connection was not touched')
  const after = await tlsClient(t, port, { ca: renewed.made.ca })
  after.send(get('app.localhost'))
  t.equal(statusOf(await after.until(isWhole)), 200, 'the new one is trusted by the new authority')
  await t.rejects(tlsClient(t, port, { ca: old.made.ca }))
  const others2 = await tlsClient(t, port, { servername: 'other.localhost', session })
  t.ok(others2.socket.isSessionReused(), 'tickets of the other service are still good')
})

void t.test('certificates change under load without a failed request', async t => {
  const certificates = await Promise.all([1, 2, 3].map(async days => serverCertificate(['app.localhost'], { days })))
  const origin = await answering(t, ok('hello'))
  const tables = certificates.map(one =>
    withCertificates(table([pool([target(origin)])], { listeners: [httpsListener([one])] }), [one]),
  )
  const [first] = tables
  if (first === undefined) throw new Error('no table')
  const { port, plane, rows } = await startPlane(t, first)
  let done = 0
  let over = false
  const askAlways = async (keep: boolean): Promise<void> => {
    while (!over) {
      const client = await tlsClient(t, port)
      // At least one: over TLS 1.3 a client that left at once would leave within the server's handshake.
      for (let n = 0; n === 0 || (keep && n < 20 && !over); n++) {
        client.text = ''
        client.send(get('app.localhost'))
        t.equal(statusOf(await client.until(isWhole)), 200)
        done++
      }
      client.socket.destroy()
    }
  }
  const clients = [true, true, true, false, false].map(askAlways)
  for (let change = 1; change <= 9; change++) {
    const reached = done + 10
    await until('ten more requests are answered', () => done >= reached)
    plane.apply(tables[change % 3] ?? first)
  }
  over = true
  await Promise.all(clients)
  t.ok(done >= 90)
  t.equal(rows('app/production/web/https').refused, 0)
  t.same(plane.intake.failures.counts.handshake, 0)
})

void t.test('a certificate that cannot be used fails its own name only', async t => {
  const [good, mixed] = await Promise.all([serverCertificate(['app.localhost']), serverCertificate(['bad.localhost'])])
  const bad = { ...mixed, inTable: { ...mixed.inTable, key: good.inTable.key } }
  const broken = httpsListener([bad], { key: 'bad/production/web/https', hostNames: ['bad.localhost'] })
  const missing = httpsListener([], { key: 'none/production/web/https', hostNames: ['none.localhost'] })
  const origin = await answering(t, ok('hello'))
  const { port, plane } = await startPlane(
    t,
    withCertificates(table([pool([target(origin)])], { listeners: [httpsListener([good]), broken, missing] }), [
      good,
      bad,
    ]),
  )
  await t.rejects(tlsClient(t, port, { servername: 'bad.localhost' }), { message: /internal error/ })
  t.equal(plane.intake.failures.counts.certificate, 1)
  t.equal(statusOf(await tlsAsk(t, port, get('app.localhost'))), 200)
  t.equal(statusOf(await tlsAsk(t, port, get('none.localhost'))), 421, 'without a certificate nobody is served')
})

void t.test('HTTP without TLS is answered 400, other octets are not', async t => {
  const certificate = await serverCertificate(['app.localhost'])
  const { port, plane } = await startPlane(
    t,
    withCertificates(table([pool([])], { listeners: [httpsListener([certificate])] }), [certificate]),
  )
  const answer = await ask(t, port, get('app.localhost'))
  t.equal(statusOf(answer), 400)
  t.match(answer, /speaks TLS/)
  for (const text of [
    'SSH-2.0-x\r\n',
    '\x16\x03\x01\x00\x00',
    '\x80\x2e\x01\x03\x01',
    '\x16\x03\x01\x00\x05\x02\0\0\x01x',
  ]) {
    const client = await rawClient(t, port, text)
    t.notMatch(await client.end(), /^HTTP\/1\.1 200/)
  }
  // One that looks in and leaves is no failure.
  const silent = await rawClient(t, port)
  silent.socket.end()
  await silent.end()
  await until('nothing is left of them', () => plane.connections === 0)
  const { counts } = plane.intake.failures
  t.equal(counts['plain-http'] + counts['client-hello'], 5)
})

void t.test(
  'who does not come through with a handshake in time is cut, and at the end of the worker at once',
  async t => {
    const certificate = await serverCertificate(['app.localhost'])
    const of = (headTimeoutMs: number): Parameters<typeof plane.apply>[0] =>
      withCertificates(table([pool([])], { listeners: [httpsListener([certificate])], limits: { headTimeoutMs } }), [
        certificate,
      ])
    const { port, plane } = await startPlane(t, withCertificates(table([]), []))
    plane.apply(of(200))
    const slow = await rawClient(t, port, '\x16\x03\x01\x02\x00\x01')
    await slow.end()
    t.equal(plane.intake.failures.counts.timeout, 1)
    plane.apply(of(60_000))
    await rawClient(t, port, '\x16\x03\x01\x02\x00\x01')
    await until('it is counted', () => plane.connections === 1)
    await plane.close(5000)
    t.equal(plane.connections, 0)
  },
)

void t.test('an answer that is not whole ends without close_notify, one that is ends with it', async t => {
  const certificate = await serverCertificate(['app.localhost'])
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    if (text.includes('GET /cut')) {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this')
      setImmediate(() => socket.destroy())
    } else socket.write(ok('whole', 'Connection: close\r\n'))
  })
  const { port } = await startPlane(
    t,
    withCertificates(table([pool([target(origin)])], { listeners: [httpsListener([certificate])] }), [certificate]),
  )
  const cut = await tlsClient(t, port)
  cut.send('GET /cut HTTP/1.1\r\nHost: app.localhost\r\n\r\n')
  await until('it is over', () => cut.closed)
  t.notOk(cut.ended, 'no end in good order')
  const whole = await tlsClient(t, port)
  whole.send(get('app.localhost', 'Connection: close\r\n'))
  t.match(await whole.end(), /whole$/)
  t.ok(whole.ended)
})

void t.test('sessions are resumed by whoever has the keys of their tickets', async t => {
  const certificate = await serverCertificate(['app.localhost'])
  const origin = await answering(t, ok('hello'))
  const served = withCertificates(table([pool([target(origin)])], { listeners: [httpsListener([certificate])] }), [
    certificate,
  ])
  const [one, two] = await Promise.all([startPlane(t, served), startPlane(t, served)])
  const keys = Buffer.alloc(48, 7)
  for (const { plane } of [one, two]) plane.intake.terminators.useTicketKeys(keys)
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    let session: Buffer | undefined
    const options = { minVersion: version, maxVersion: version }
    const first = await tlsClient(t, one.port, options)
    first.socket.on('session', ticket => {
      session = ticket
    })
    first.send(get('app.localhost'))
    await first.until(isWhole)
    session ??= first.socket.getSession()
    for (const { port } of [one, two]) {
      const again = await tlsClient(t, port, { ...options, session })
      again.send(get('app.localhost'))
      t.equal(statusOf(await again.until(isWhole)), 200)
      t.ok(again.socket.isSessionReused(), `${version} resumed`)
    }
    two.plane.intake.terminators.useTicketKeys(Buffer.alloc(48, 8))
    const full = await tlsClient(t, two.port, { ...options, session })
    t.notOk(full.socket.isSessionReused(), 'not with other keys')
    two.plane.intake.terminators.useTicketKeys(keys)
  }
})

void t.test('hundreds of connections that break off within their handshake leave nothing behind', async t => {
  const certificate = await serverCertificate(['app.localhost'])
  const { port, plane } = await startPlane(
    t,
    withCertificates(table([pool([])], { listeners: [httpsListener([certificate])] }), [certificate]),
  )
  const hello = await clientHello('app.localhost')
  for (let round = 0; round < 10; round++) {
    const clients = Array.from({ length: 30 }, () => connect({ port, host: '127.0.0.1' }))
    for (const [index, client] of clients.entries()) {
      client.on('error', () => {})
      // Some in the middle of their first message, some after it; some by FIN, some by RST.
      client.write(hello.subarray(0, index % 3 === 0 ? 40 : hello.length), () => {
        if (index % 2 === 0) client.resetAndDestroy()
        else client.destroy()
      })
    }
    await Promise.all(clients.map(async client => new Promise(resolve => client.on('close', resolve))))
  }
  await until('nothing is left of them', () => plane.connections === 0)
  t.equal(statusOf(await tlsAsk(t, port, get('app.localhost'))), 503, 'it serves')
})
