import t from 'tap'
import {
  answering,
  ask,
  isWhole,
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

const HOST = 'Host: app.localhost\r\n'

void t.test('what a client says of who came before counts only from a trusted proxy', async t => {
  const origin = await answering(t, ok('x'))
  const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
  const request =
    `GET / HTTP/1.1\r\n${HOST}X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\nForwarded: for=1\r\n` +
    'X-Request-ID: mine\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n\r\n'
  await ask(t, port, request)
  const plain = origin.received.join('')
  t.notMatch(plain, /9\.9\.9\.9|https|Forwarded: for|mine|0af7651916cd43dd8448eb211c80319c|tracestate/)
  t.match(
    plain,
    /\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: \d+\r\nX-Forwarded-Host: app\.localhost\r\nX-Request-ID: [0-9a-f]{32}\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n/,
  )

  plane.apply(table([pool([target(origin)])], { limits: { trustedProxies: ['127.0.0.0/8'] } }))
  await ask(t, port, request)
  const trusted = origin.received.join('').slice(plain.length)
  t.match(
    trusted,
    /\r\nX-Forwarded-For: 9\.9\.9\.9, 127\.0\.0\.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Host: h\r\nX-Request-ID: mine\r\ntraceparent: 00-0af/,
  )
})

void t.test('the instance is named only where that is wanted', async t => {
  const origin = await answering(t, ok('x'))
  const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
  t.notMatch(await ask(t, port, `GET / HTTP/1.1\r\n${HOST}\r\n`), /X-Vipswap/i)
  plane.apply(table([pool([target(origin)])], { limits: { exposeInstance: true } }))
  t.match(
    await ask(t, port, `GET / HTTP/1.1\r\n${HOST}\r\n`),
    /X-Vipswap-Deployment: d1\r\nX-Vipswap-Instance: web_IN_0\r\nX-Vipswap-Version: 1\.0\.0\r\n/,
  )
})

void t.test('an instance cannot name itself; a tunnel’s 101 names it as any answer does', async t => {
  const lies = 'X-Vipswap-Instance: evil\r\nx-vipswap-version: evil\r\nX-Vipswap-Deployment: evil\r\n'
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.endsWith('\r\n\r\n')) return
    clear()
    if (text.includes('Upgrade')) {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n${lies}\r\n`)
    } else socket.write(ok('x', lies))
  })
  const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
  const requests = [
    `GET / HTTP/1.1\r\n${HOST}\r\n`,
    `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: x\r\n\r\n`,
  ]
  const heads = async (): Promise<string[]> =>
    Promise.all(
      requests.map(async request => (await rawClient(t, port, request)).until(text => text.includes('\r\n\r\n'))),
    )
  for (const head of await heads()) t.notMatch(head, /X-Vipswap/i)
  plane.apply(table([pool([target(origin)])], { limits: { exposeInstance: true } }))
  const [plain = '', switched = ''] = await heads()
  for (const head of [plain, switched]) {
    t.match(head, /\r\nX-Vipswap-Deployment: d1\r\nX-Vipswap-Instance: web_IN_0\r\nX-Vipswap-Version: 1\.0\.0\r\n/)
    t.equal(head.match(/X-Vipswap/gi)?.length, 3)
  }
  t.match(switched, /^HTTP\/1\.1 101 /)
})

void t.test('pipelined requests are answered in order, also those of a half-closed client', async t => {
  let count = 0
  const origin = await answering(t, () => ok(`answer ${++count}`))
  const { port, rows } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port)
  client.socket.end(`GET /1 HTTP/1.1\r\n${HOST}\r\n`.repeat(20) + `GET /last HTTP/1.1\r\n${HOST}\r\n`)
  const text = await client.end()
  t.equal(text.split('HTTP/1.1 200').length - 1, 21)
  t.match(text, /answer 1[^0-9][\s\S]*answer 10[\s\S]*answer 21$/)
  t.equal(rows().answered, 21)
  t.equal(origin.sockets.length, 1, 'over one connection to the instance')
})

void t.test('a flood of pipelined bytes is not read beyond a bound', async t => {
  const origin = await startOrigin(t, () => {})
  const { port } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, `GET / HTTP/1.1\r\n${HOST}\r\n`)
  await until('the instance has the request', () => origin.received.length === 1)
  client.socket.write(Buffer.alloc(64 * 1024 * 1024, 'x'))
  let [last, quiet] = [0, 0]
  await until('nothing more is taken', () => {
    quiet = client.socket.writableLength === last ? quiet + 1 : 0
    last = client.socket.writableLength
    return quiet >= 10
  })
  t.ok(last > 32 * 1024 * 1024, `${last} bytes are left with the client`)
})

void t.test('Expect: 100-continue goes through, interim answers come back', async t => {
  const origin = await startOrigin(t, (text, socket) => {
    if (text.endsWith('\r\n\r\n'))
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n')
    else if (text.endsWith('body')) socket.write(ok('done'))
  })
  const { port } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, `POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`)
  await client.until(text => text.includes('100 Continue\r\n\r\n'))
  client.send('body')
  const text = await client.until(isWhole)
  t.match(
    text,
    /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
  )
  t.match(origin.received[0], /Expect: 100-continue\r\n/)
})

void t.test('an answer before the request is whole reaches the client, then the connection ends', async t => {
  const origin = await startOrigin(t, (text, socket) => {
    if (text.includes('\r\n\r\n') && text.length < 2000)
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig')
  })
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, `POST / HTTP/1.1\r\n${HOST}Content-Length: 1000000\r\n\r\nabc`)
  await client.until(text => text.endsWith('big'))
  client.socket.write(Buffer.alloc(500_000))
  const text = await client.end()
  t.equal(statusOf(text), 413)
  t.match(text, /Connection: close\r\n/)
  t.equal(client.failed, null)
  t.equal(rows().answered, 1)
  t.same(plane.status().inFlight, {})
})

void t.test('bodies pass unchanged in every framing and size', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    const at = text.indexOf('\r\n\r\n')
    if (at === -1) return
    const body = text.slice(at + 4)
    const length = /Content-Length: (\d+)/.exec(text.slice(0, at))
    if (length !== null ? body.length < Number(length[1]) : !body.endsWith('\r\n0\r\n\r\n')) return
    clear()
    // Its own framing comes back.
    const field = length === null ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`
    socket.write(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n${body}`, 'latin1')
  })
  const { port, rows } = await startPlane(t, table([pool([target(origin)])]))
  let count = 0
  for (const size of [1, 100, 16_384, 16_385, 65_536, 300_000, 3_000_000]) {
    const body = Array.from({ length: size }, (_, index) => String.fromCharCode((index * 7 + (index >> 8)) & 255)).join(
      '',
    )
    const sized = await ask(t, port, `POST / HTTP/1.1\r\n${HOST}Content-Length: ${size}\r\n\r\n${body}`)
    t.ok(sized.endsWith(`\r\n\r\n${body}`), `${size} bytes by Content-Length`)
    const half = size >> 1
    const chunks =
      half === 0
        ? `1\r\n${body}\r\n0\r\n\r\n`
        : `${half.toString(16)};ext=1\r\n${body.slice(0, half)}\r\n${(size - half).toString(16)}\r\n${body.slice(half)}\r\n0\r\n\r\n`
    const chunked = await ask(t, port, `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${chunks}`)
    t.ok(chunked.endsWith(`\r\n\r\n${chunks}`), `${size} bytes chunked`)
    count += 2
  }
  t.equal(rows().answered, count)
})

void t.test('a client that leaves ends its request at the instance at once', async t => {
  let gone = 0
  const origin = await startOrigin(t, () => {}, {})
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, `GET / HTTP/1.1\r\n${HOST}\r\n`)
  await until('the instance has the request', () => origin.sockets.length === 1)
  t.same(Object.values(plane.status().inFlight), [1])
  origin.sockets[0]?.on('close', () => gone++)
  client.socket.resetAndDestroy()
  await until('the instance sees it', () => gone === 1)
  t.same(plane.status().inFlight, {})
  t.equal(rows().clientGone, 1)
  t.equal(open(plane), 0)
})

void t.test('a client that closed while it waits is noticed though its FIN might mean less', async t => {
  const origin = await startOrigin(t, () => {}, {})
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, `GET / HTTP/1.1\r\n${HOST}\r\n`)
  await until('the instance has the request', () => origin.sockets.length === 1)
  // Nothing is left to read: its kernel sends FIN, no reset.
  client.socket.destroy()
  await until('nothing is in flight', () => Object.keys(plane.status().inFlight).length === 0, { timeoutMs: 2000 })
  t.equal(rows().clientGone, 1)
  t.equal(open(plane), 0)
})

void t.test('a client that only stopped sending waits on, and gets its answer after two interim ones', async t => {
  let answer = (): void => undefined
  const origin = await startOrigin(t, (_text, socket) => {
    answer = () => socket.write(ok('late'))
  })
  const { port } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, `GET / HTTP/1.1\r\n${HOST}\r\n`)
  client.socket.end()
  await client.until(text => text.split(' 100 Continue').length === 3)
  answer()
  const text = await client.end()
  t.match(text, /^(?:HTTP\/1\.1 100 Continue\r\n\r\n){2}HTTP\/1\.1 200 OK\r\n[^]*late$/)
})

void t.test('a slow reader holds the instance back and other clients get only their own bytes', async t => {
  const big = 'z'.repeat(8 * 1024 * 1024)
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    socket.write(text.startsWith('GET /big') ? ok(big) : ok('small'.repeat(2000)))
  })
  const { port } = await startPlane(t, table([pool([target(origin)])]))
  const slow = await rawClient(t, port)
  slow.socket.pause()
  slow.send(`GET /big HTTP/1.1\r\n${HOST}\r\n`)
  await until('the instance is held back', () => (origin.sockets[0]?.writableLength ?? 0) > 1024 * 1024)
  for (let index = 0; index < 50; index++) {
    const answer = await ask(t, port, `GET /small HTTP/1.1\r\n${HOST}\r\n`)
    if (!answer.endsWith('small'.repeat(2000))) t.fail('another answer')
  }
  slow.socket.resume()
  const answer = await slow.until(isWhole)
  t.ok(answer.endsWith(big) && !answer.includes('small'))
})

void t.test('an answer of our own, too, ends the connection that the client wants closed', async t => {
  const { port } = await startPlane(t, table([pool([])]))
  const closing = await rawClient(t, port)
  closing.socket.write(`GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
  t.match(await closing.end(), /^HTTP\/1\.1 503 [\s\S]*\r\nConnection: close\r\n/)
  const staying = await rawClient(t, port)
  staying.socket.end(`GET / HTTP/1.1\r\n${HOST}\r\n`.repeat(2))
  t.equal((await staying.end()).split('HTTP/1.1 503').length - 1, 2)
})

void t.test('a connection that was only just made has its first request answered by a plane that closes', async t => {
  const origin = await answering(t, ok('x'))
  const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
  const get = `GET / HTTP/1.1\r\n${HOST}\r\n`
  const used = await rawClient(t, port, get)
  await used.until(isWhole)
  const fresh = await rawClient(t, port)
  await until('both are known', () => plane.connections === 2)
  const closed = plane.close(10_000)
  await used.end()
  fresh.send(get)
  t.match(await fresh.end(), /^HTTP\/1\.1 200 [\s\S]*Connection: close/)
  await closed
})
