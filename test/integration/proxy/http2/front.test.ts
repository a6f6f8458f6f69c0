import type { Socket } from 'node:net'
import t from 'tap'
import {
  block,
  codeOf,
  frame,
  frameClient,
  get,
  GET,
  TYPE,
  uint32,
  END_HEADERS,
  END_STREAM,
} from '../../../support/http2-frames.ts'
import { until } from '../../../support/until.ts'
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
} from '../support.ts'
import { fetchOn, h2Client, h2Listener } from './support.ts'

const PROTOCOL_ERROR = 1
const INTERNAL_ERROR = 2
const ENHANCE_YOUR_CALM = 11
type Fields = readonly (readonly [string, string])[]

// Header block → what becomes of the stream: RST_STREAM with this code, or an answer with this status; what the instance got.
const MALFORMED: readonly [name: string, fields: Fields][] = [
  ['a pseudo-header field twice', [...GET, [':path', '/x']]],
  ['a pseudo-header field after a regular one', [...GET.slice(0, 3), ['x', '1'], [':authority', 'a']]],
  ['an unknown pseudo-header field', [...GET, [':foo', '1']]],
  ['a pseudo-header field of answers', [...GET, [':status', '200']]],
  ['an upper-case name', [...GET, ['Foo', '1']]],
  ['Connection', [...GET, ['connection', 'close']]],
  ['Keep-Alive', [...GET, ['keep-alive', 'timeout=5']]],
  ['Proxy-Connection', [...GET, ['proxy-connection', 'x']]],
  ['Transfer-Encoding', [...GET, ['transfer-encoding', 'chunked']]],
  ['Upgrade', [...GET, ['upgrade', 'websocket']]],
  ['TE other than trailers', [...GET, ['te', 'gzip']]],
  ['no method', GET.slice(1)],
  ['no scheme', GET.filter(([name]) => name !== ':scheme')],
  ['no path', GET.filter(([name]) => name !== ':path')],
  ['no authority and no Host', GET.slice(0, 3)],
  ['an empty path', [...GET.slice(0, 2), [':path', ''], [':authority', 'a']]],
  ['an absolute path', [...GET.slice(0, 2), [':path', 'http://b/'], [':authority', 'a']]],
  ['* with GET', [...GET.slice(0, 2), [':path', '*'], [':authority', 'a']]],
  ['a space in the path', [...GET.slice(0, 2), [':path', '/a b'], [':authority', 'a']]],
  ['two Hosts', [...GET, ['host', 'app.localhost'], ['host', 'app.localhost']]],
  ['two Content-Length', [...GET, ['content-length', '0'], ['content-length', '0']]],
  ['a Content-Length without a body', [...GET, ['content-length', '3']]],
  ['extended CONNECT', [[':method', 'CONNECT'], [':protocol', 'websocket'], ...GET.slice(1)]],
]

const REFUSED: readonly [name: string, fields: Fields, status: number][] = [
  [
    'CONNECT',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:443'],
    ],
    405,
  ],
  ['TRACE', [[':method', 'TRACE'], ...GET.slice(1)], 405],
  ['another scheme', [GET[0], [':scheme', 'ftp'], ...GET.slice(2)], 400],
  ['Host unlike :authority', [...GET, ['host', 'other']], 400],
  ['user information in :authority', [...GET.slice(0, 3), [':authority', 'u@app.localhost']], 400],
  ['a fragment in the path', [...GET.slice(0, 2), [':path', '/a#b'], ...GET.slice(3)], 400],
  ['an unknown expectation', [...GET, ['expect', 'tea']], 417],
  ['too many fields', [...GET, ...Array.from({ length: 110 }, () => ['a', 'b'] as const)], 431],
  ['too long a head', [...GET, ['x', 'a'.repeat(40_000)]], 431],
  ['too long a path', [...GET.slice(0, 2), [':path', `/${'a'.repeat(40_000)}`], ...GET.slice(3)], 414],
]

const SEEN_BY_NGHTTP2: ReadonlySet<string> = new Set(['user information in :authority', 'a fragment in the path'])

/** HEADERS, and CONTINUATION where the block is longer than a frame. */
function headers(stream: number, fields: Fields, flags: number): Buffer {
  const whole = block(fields)
  if (whole.length <= 16_384) return frame(TYPE.headers, flags | END_HEADERS, stream, whole)
  const frames = [frame(TYPE.headers, flags, stream, whole.subarray(0, 16_384))]
  for (let at = 16_384; at < whole.length; at += 16_384) {
    const last = at + 16_384 >= whole.length
    frames.push(frame(TYPE.continuation, last ? END_HEADERS : 0, stream, whole.subarray(at, at + 16_384)))
  }
  return Buffer.concat(frames)
}

void t.test('malformed requests are reset and reach no instance', async t => {
  const origin = await answering(t, ok('hello'))
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const client = await frameClient(t, port)
  let stream = 1
  for (const [name, fields] of MALFORMED) {
    client.send(headers(stream, fields, END_STREAM))
    const reset = await until(`${name} is reset`, () => {
      return client.of(TYPE.reset, stream)[0]
    })
    t.equal(codeOf(reset), PROTOCOL_ERROR, name)
    stream += 2
  }
  // Fields with octets that no field may have are dropped by nghttp2; what is left is a request.
  client.send(
    headers(
      stream,
      [...GET, ['x-bad', 'a\r\nx-smuggled: 1'], ['x bad', '1'], ['x-nul', 'a\0b'], ['x-good', '1']],
      END_STREAM,
    ),
  )
  await until('it is answered', () => client.of(TYPE.data, stream).length > 0)
  t.match(origin.received[0], /x-good: 1\r\n/)
  t.notMatch(origin.received[0], /x-bad|x-smuggled|x bad|x-nul/)
  t.equal(origin.received.length, 1, 'one connection was made')
  const { arrived, answered } = rows()
  t.equal(arrived, 1)
  t.equal(answered, 1)
  t.equal(open(plane), 0)
})

void t.test('requests against the rules of HTTP are refused with a status', async t => {
  const origin = await answering(t, ok('hello'))
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const session = h2Client(t, port)
  let reset = 0
  for (const [name, fields, status] of REFUSED) {
    const asked: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>
    for (const [field, value] of fields) {
      const earlier = asked[field]
      asked[field] = earlier === undefined ? value : [earlier, value].flat()
    }
    const reply = await new Promise<{ status: number; proxyStatus: string } | null>((resolve, reject) => {
      const stream = session.request(asked, { endStream: true })
      stream.on('response', answer =>
        resolve({ status: Number(answer[':status']), proxyStatus: String(answer['proxy-status']) }),
      )
      stream.on('error', error => {
        // Later versions of nghttp2 see some of it themselves, as malformed (RFC 9113 section 8.1.1).
        if (stream.rstCode === PROTOCOL_ERROR) resolve(null)
        else reject(error)
      })
      stream.resume()
    })
    if (reply === null) {
      t.ok(SEEN_BY_NGHTTP2.has(name), name)
      reset++
      continue
    }
    t.equal(reply.status, status, name)
    t.match(reply.proxyStatus, /^vipswap; error=http_request_error/, name)
  }
  t.equal(origin.received.length, 0)
  const { arrived, refused } = rows()
  t.equal(arrived, REFUSED.length - reset)
  t.equal(refused, REFUSED.length - reset)
  t.equal(open(plane), 0)
  const after = await fetchOn(session, {})
  t.equal(after.status, 200, 'the connection serves on')
})

void t.test('a request reaches the instance as one of HTTP/1.1', async t => {
  const origin = await answering(t, ok('hello'))
  const { port } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const session = h2Client(t, port)
  await fetchOn(session, { ':path': '/a?b', cookie: ['a=1', 'b=2'], te: 'trailers', 'x-y': 'z' })
  t.match(origin.received[0], /^GET \/a\?b HTTP\/1\.1\r\nHost: app\.localhost\r\n/)
  t.match(origin.received[0], /\r\ncookie: a=1; b=2\r\n/)
  t.match(origin.received[0], /\r\nVia: 2\.0 vipswap\r\n/)
  t.notMatch(origin.received[0], /\r\nte:/i)
  t.notMatch(origin.received[0], /content-length|transfer-encoding/i)
  await fetchOn(session, { ':method': 'POST' })
  t.match(origin.received[0], /POST \/ HTTP[^]*\r\nContent-Length: 0\r\n/)
})

void t.test('whatever fields an instance answers with, the client gets them or the proxy lives without', async t => {
  const fields =
    'WWW-Authenticate: Basic\r\nWWW-Authenticate: Digest a="b, c"\r\nETag: "1"\r\nETag: "2"\r\n__proto__: 1\r\nconstructor: 2\r\n' +
    'HTTP2-Settings: x\r\nTE: gzip\r\nX-Latin:  caf\xe9 \r\nX-Empty:\r\nLocation: /a\r\nLocation: /b\r\nServer: a\r\nserver: b\r\n'
  const origin = await answering(t, ok('hello', fields))
  const { port } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const { status, headers: got, body } = await fetchOn(h2Client(t, port))
  t.same([status, body], [200, 'hello'])
  t.equal(got['www-authenticate'], 'Basic, Digest a="b, c"', 'as two fields, which the client joins')
  t.equal(got['x-latin'], 'caf\xe9')
  t.equal(got['x-empty'], '')
  t.equal(got['constructor'], '2')
  t.equal(got['server'], 'a, b')
  t.notOk('http2-settings' in got || 'te' in got)
})

void t.test('trailers of a request go on, forbidden ones are refused', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.endsWith('\r\n\r\n') || !text.includes('\r\n0\r\n')) return
    clear()
    socket.write(ok('hello'))
  })
  const { port } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const session = h2Client(t, port)
  const post = async (trailers: Record<string, string>) =>
    new Promise<number>(resolve => {
      const stream = session.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers(trailers))
      stream.on('response', answer => resolve(Number(answer[':status'])))
      stream.on('error', () => {})
      stream.end('body')
    })
  t.equal(await post({ 'x-sum': '1' }), 200)
  t.match(origin.received[0], /\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n$/)
  t.equal(await post({ 'content-type': 'x' }), 400)
})

void t.test('one port serves both versions, told apart by the first bytes, however they come', async t => {
  const origin = await answering(t, ok('hello'))
  const { plane, port } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  t.equal(statusOf(await ask(t, port, 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n')), 200)
  // As far as the preface goes, a request of HTTP/1.1 may begin like it.
  const slow = await rawClient(t, port, 'P')
  slow.send('RI * HTTP/1.1\r\nHost: app.localhost\r\n\r\n')
  t.equal(statusOf(await slow.end()), 400)
  const put = await rawClient(t, port, 'P')
  await until('it waits', () => plane.connections > 0)
  put.send('UT / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 0\r\n\r\n')
  t.equal(statusOf(await put.until(isWhole)), 200)
  put.send('GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n')
  await put.until(text => text.split('hello').length === 3)

  const piecemeal = await rawClient(t, port, 'PRI * HTTP/2.0\r\n')
  piecemeal.send('\r\nSM\r\n')
  piecemeal.send('\r\n')
  await piecemeal.until(text => text.length > 9)
  const { text } = piecemeal
  t.equal(text.charCodeAt(3), TYPE.settings, 'the answer is SETTINGS')

  const gone = await rawClient(t, port, 'PRI')
  gone.socket.end()
  await gone.end()
  for (const client of [put, piecemeal, slow]) client.socket.destroy()
  await until('no connection is left', () => plane.connections === 0)
})

void t.test('a listener without HTTP/2 refuses its preface', async t => {
  const origin = await answering(t, ok('hello'))
  const { port } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  t.equal(statusOf(await client.end()), 400)
})

void t.test('nobody has to say what he speaks at once, but some time', async t => {
  const origin = await answering(t, ok('hello'))
  const limits = { headTimeoutMs: 300, keepAliveTimeoutMs: 300 }
  const { port } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()], limits }))
  const silent = await rawClient(t, port)
  const half = await rawClient(t, port, 'PRI * HTTP/2')
  await silent.end()
  await half.end()
  // A session without requests is closed in two steps.
  const client = await frameClient(t, port, { acknowledge: true })
  await until('it is closed', () => client.closed)
  t.same(
    // Node says it once more as it closes.
    client
      .of(TYPE.goaway)
      .slice(0, 2)
      .map(one => [one.payload.readUInt32BE(0), codeOf(one)]),
    [
      [2 ** 31 - 1, 0],
      [0, 0],
    ],
  )
})

void t.test('a stop says GOAWAY twice and serves what was opened in between', async t => {
  const waiting: Socket[] = []
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    waiting.push(socket)
  })
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const client = await frameClient(t, port)
  client.send(get(1))
  await until('the first is at the instance', () => waiting.length === 1)
  const closed = plane.close(10_000)
  const first = await until('the first GOAWAY', () => client.of(TYPE.goaway)[0])
  t.equal(first.payload.readUInt32BE(0), 2 ** 31 - 1)
  const ping = await until('it asks whether that was seen', () => client.of(TYPE.ping)[0])
  // Not having seen it, the client opens another, and only then acknowledges.
  client.send(get(3), frame(TYPE.ping, 1, 0, ping.payload))
  const second = await until('the second GOAWAY', () => client.of(TYPE.goaway)[1])
  t.equal(second.payload.readUInt32BE(0), 3)
  client.send(get(5))
  await until('the second is at the instance', () => waiting.length === 2)
  for (const socket of waiting) socket.write(ok('late'))
  await until('both are answered', () => client.of(TYPE.data, 1).length > 0 && client.of(TYPE.data, 3).length > 0)
  await closed
  await until('the connection is closed', () => client.closed)
  t.equal(client.of(TYPE.headers, 5).length, 0, 'what came after the last word is not served')
  t.same([rows().arrived, rows().answered], [2, 2])
  t.equal(waiting.length, 2)
})

void t.test('an address that is served no more lets its clients go', async t => {
  const origin = await answering(t, ok('hello'))
  const { plane, port } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const client = await frameClient(t, port, { acknowledge: true })
  client.send(get(1))
  await until('it is served', () => client.of(TYPE.data, 1).length > 0)
  plane.apply(table([], { listeners: [] }))
  await until('it is closed', () => client.closed)
  t.ok(client.of(TYPE.goaway).length >= 2)
})

void t.test('an answer that breaks off is reset, and never ends in good order', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    const head = text.includes('/close')
      ? ''
      : text.includes('/chunked')
        ? 'Transfer-Encoding: chunked\r\n'
        : 'Content-Length: 10\r\n'
    socket.end(`HTTP/1.1 200 OK\r\n${head}\r\n${text.includes('/chunked') ? '5\r\nhello\r\n' : 'hello'}`)
  })
  const { port, rows } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const session = h2Client(t, port)
  t.equal((await fetchOn(session, { ':path': '/length' })).code, INTERNAL_ERROR)
  t.equal((await fetchOn(session, { ':path': '/chunked' })).code, INTERNAL_ERROR)
  const whole = await fetchOn(session, { ':path': '/close' })
  t.same([whole.code, whole.body], [0, 'hello'])
  t.same(rows().broken, { 'upstream-closed': 2 })
})

void t.test('an early answer is whole, and the client is told to stop sending', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    socket.write(
      text.includes('/chunked')
        ? 'HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\nx-why: 1\r\n\r\n'
        : 'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno',
    )
  })
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const client = await frameClient(t, port)
  for (const [stream, path] of [
    [1, '/length'],
    [3, '/chunked'],
  ] as const) {
    client.send(headers(stream, [[':method', 'POST'], GET[1], [':path', path], GET[3]], 0))
    const reset = await until('it is told to stop', () => client.of(TYPE.reset, stream)[0])
    t.equal(codeOf(reset), 0, 'NO_ERROR')
    const frames = client.frames.filter(one => one.stream === stream)
    t.ok(frames.findIndex(one => (one.flags & END_STREAM) !== 0) < frames.indexOf(reset), 'after the end of the answer')
    t.equal(Buffer.concat(client.of(TYPE.data, stream).map(one => one.payload)).toString(), 'no')
  }
  t.equal(client.of(TYPE.headers, 3).length, 2, 'trailers came too')
  t.same([rows().answered, open(plane)], [2, 0])
})

void t.test('a client that cancels frees the instance', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    if (text.includes('/begun')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
  })
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const client = await frameClient(t, port)
  client.send(get(1), get(3, [...GET.slice(0, 2), [':path', '/begun'], GET[3]]))
  await until('one is being answered', () => client.of(TYPE.data, 3).length > 0)
  await until('both are at the instance', () => origin.sockets.length === 2)
  client.send(frame(TYPE.reset, 0, 1, uint32(8)), frame(TYPE.reset, 0, 3, uint32(0)))
  await until('both connections are given up', () => origin.sockets.every(socket => socket.destroyed))
  t.same([rows().clientGone, open(plane)], [2, 0])
  t.notOk(client.closed)
})

void t.test('rapid resets end the connection', async t => {
  const origin = await startOrigin(t, () => {})
  const { plane, port } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  for (const together of [true, false]) {
    const client = await frameClient(t, port)
    for (let stream = 1; stream < 4000 && !client.closed; stream += 2) {
      if (together) client.send(get(stream), frame(TYPE.reset, 0, stream, uint32(8)))
      else {
        client.send(get(stream))
        const served = plane.ledger.snapshot().reduce((sum, row) => sum + row.arrived, 0)
        await until(
          'it is being served',
          () => client.closed || plane.ledger.snapshot().reduce((sum, row) => sum + row.arrived, 0) >= served,
          { intervalMs: 0 },
        )
        client.send(frame(TYPE.reset, 0, stream, uint32(8)))
      }
    }
    await until('the connection is closed', () => client.closed)
    t.equal(client.of(TYPE.goaway).map(codeOf).at(-1), ENHANCE_YOUR_CALM)
  }
  await until('nothing is left', () => plane.connections === 0 && open(plane) === 0)
})

void t.test('floods of frames that ask for nothing end the connection', async t => {
  const origin = await answering(t, ok('hello'))
  const { plane, port } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const floods: Record<string, Buffer> = {
    ping: frame(TYPE.ping, 0, 0, Buffer.alloc(8)),
    settings: frame(TYPE.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100])),
    priority: frame(TYPE.priority, 0, 1, Buffer.from([0, 0, 0, 0, 1])),
    'window updates': frame(TYPE.windowUpdate, 0, 0, uint32(1)),
  }
  for (const [name, one] of Object.entries(floods)) {
    const client = await frameClient(t, port)
    const many = Buffer.concat(Array.from({ length: Math.ceil(65_536 / one.length) }, () => one))
    for (let sent = 0; sent < 64 && !client.closed; sent++) {
      await new Promise(resolve => {
        client.socket.write(many, resolve)
      })
    }
    await until(`the flood of ${name} is ended`, () => client.closed)
    // nghttp2 has bounds of its own for what it must acknowledge, and says INTERNAL_ERROR.
    t.match(
      client.of(TYPE.goaway).map(codeOf).at(-1),
      name === 'ping' || name === 'settings' ? Number : ENHANCE_YOUR_CALM,
      name,
    )
    t.not(client.of(TYPE.goaway).map(codeOf).at(-1), 0, name)
  }
  t.equal(plane.connections, 0)
})

void t.test('an endless head ends the connection', async t => {
  const origin = await answering(t, ok('hello'))
  const { plane, port } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const small = await frameClient(t, port)
  small.send(frame(TYPE.headers, END_STREAM, 1, block(GET)))
  for (let n = 0; n < 1000 && !small.closed; n++) small.send(frame(TYPE.continuation, 0, 1, block([['x', 'y']])))
  await until('many CONTINUATION frames are too many', () => small.closed)
  const big = await frameClient(t, port, { acknowledge: true })
  await until('its settings are acknowledged', () => big.of(TYPE.settings).length === 2)
  big.send(
    headers(1, [...GET, ...Array.from({ length: 12 }, (_, n) => [`x${n}`, 'a'.repeat(8000)] as const)], END_STREAM),
  )
  const reset = await until('a head beyond all bounds is reset', () => big.of(TYPE.reset, 1)[0])
  t.equal(codeOf(reset), ENHANCE_YOUR_CALM)
  t.equal(origin.received.length, 0)
  big.socket.destroy()
  await until('nothing is left', () => plane.connections === 0)
})

void t.test('more streams than were allowed are refused', async t => {
  const origin = await startOrigin(t, () => {})
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()] }))
  const unaware = await frameClient(t, port)
  for (let stream = 1; stream < 2 * 140; stream += 2) unaware.send(get(stream))
  await until('128 are served', () => rows().arrived === 128)
  await until('the others are refused', () => unaware.of(TYPE.reset).length === 12)
  t.ok(
    unaware.of(TYPE.reset).every(one => codeOf(one) === 7),
    'REFUSED_STREAM: to be asked again',
  )
  unaware.socket.destroy()
  await until('it is gone', () => open(plane) === 0)

  // One that has acknowledged the bound breaks the protocol.
  const aware = await frameClient(t, port, { acknowledge: true })
  await until('its settings are acknowledged', () => aware.of(TYPE.settings).length === 2)
  for (let stream = 1; stream < 2 * 140; stream += 2) aware.send(get(stream))
  await until('the connection is closed', () => aware.closed)
  t.equal(rows().arrived, 2 * 128)
  await until('nothing is left', () => plane.connections === 0 && open(plane) === 0)
})

void t.test('a reader that stands still holds little memory and is given up', async t => {
  const size = 8 * 1024 * 1024
  const written: number[] = []
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
    const piece = Buffer.alloc(64 * 1024)
    const index = written.push(0) - 1
    const more = (): void => {
      while ((written[index] ?? 0) < size) {
        written[index] = (written[index] ?? 0) + piece.length
        if (!socket.write(piece)) {
          socket.once('drain', more)
          return
        }
      }
    }
    more()
  })
  const limits = { idleTimeoutMs: 700 }
  const { plane, port, rows } = await startPlane(
    t,
    table([pool([target(origin)])], { listeners: [h2Listener()], limits }),
  )
  const client = await frameClient(t, port, { acknowledge: true })
  const before = process.memoryUsage().arrayBuffers
  // The window is the protocol's 64 KiB and nothing widens it.
  for (let n = 0; n < 20; n++) client.send(get(2 * n + 1))
  await until('all stand still', () => written.length === 20)
  await until('each is reset', () => client.of(TYPE.reset).length === 20)
  const grown = process.memoryUsage().arrayBuffers - before
  t.ok(grown < 20 * 512 * 1024, `${grown} octets for 20 of ${size}`)
  t.equal(rows().clientGone, 20)
  t.notOk(client.closed, 'the connection lives on')
  t.equal(open(plane), 0)
})

void t.test('a body that stops coming is answered 408, a slow instance stops the client', async t => {
  const origin = await startOrigin(t, () => {})
  const limits = { idleTimeoutMs: 300 }
  const { port } = await startPlane(t, table([pool([target(origin)])], { listeners: [h2Listener()], limits }))
  const reply = await fetchOn(h2Client(t, port), { ':method': 'POST' }, stream => stream.write('a'))
  t.equal(reply.status, 408)
})
