import { constants, type ServerHttp2Stream } from 'node:http2'
import t from 'tap'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import {
  ACK,
  block,
  END_HEADERS,
  END_STREAM,
  frame,
  parseFrames,
  TYPE,
  uint32,
  type Frame,
} from '../../../support/http2-frames.ts'
import { UpstreamSession } from '../../../../proxy/http2/upstream-session.ts'
import { until } from '../../../support/until.ts'
import {
  answering,
  ask,
  open,
  rawClient,
  startOrigin,
  startPlane,
  statusOf,
  table,
  target,
  type Test,
} from '../support.ts'
import { fetchOn, h2Client, h2Listener, h2Pool, startHttp2Origin } from './support.ts'

const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 4\r\n\r\nbody'
const OK = block([[':status', '200']])

interface FrameOrigin {
  readonly port: number
  readonly frames: Frame[]
  readonly sockets: Socket[]
}

/** An instance that answers frames by hand; `onFrame` gets each that is not SETTINGS. */
async function frameOrigin(
  t: Test,
  onFrame: (got: Frame, send: (...parts: Buffer[]) => void, socket: Socket, connection: number) => void,
  settings: Buffer = Buffer.alloc(0),
): Promise<FrameOrigin> {
  const frames: Frame[] = []
  const sockets: Socket[] = []
  const server = createServer({ noDelay: true }, socket => {
    const connection = sockets.push(socket)
    let rest: Buffer = Buffer.alloc(0)
    let preface = 24
    const send = (...parts: Buffer[]): void => {
      socket.write(Buffer.concat(parts))
    }
    send(frame(TYPE.settings, 0, 0, settings))
    socket.on('error', () => {})
    socket.on('data', chunk => {
      const skipped = Math.min(preface, chunk.length)
      preface -= skipped
      const parsed = parseFrames(Buffer.concat([rest, chunk.subarray(skipped)]))
      rest = parsed.rest
      for (const got of parsed.frames) {
        frames.push(got)
        if (got.type !== TYPE.settings) onFrame(got, send, socket, connection)
        else if (got.flags !== ACK) send(frame(TYPE.settings, ACK, 0))
      }
    })
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, frames, sockets }
}

const goaway = (last: number, code: number): Buffer =>
  frame(TYPE.goaway, 0, 0, Buffer.concat([uint32(last), uint32(code)]))

void t.test('what an instance provably did not touch is asked again, with its body', async t => {
  for (const [name, refusal] of [
    ['REFUSED_STREAM', (s: number) => frame(TYPE.reset, 0, s, uint32(constants.NGHTTP2_REFUSED_STREAM))],
    ['GOAWAY', (s: number) => goaway(Math.max(0, s - 2), 0)],
    ['GOAWAY with an error', (s: number) => goaway(Math.max(0, s - 2), constants.NGHTTP2_INTERNAL_ERROR)],
  ] as const) {
    let refused = false
    const origin = await frameOrigin(t, (got, send) => {
      if ((got.flags & END_STREAM) === 0 || got.type > TYPE.headers) return
      if (!refused) {
        refused = true
        send(refusal(got.stream))
        return
      }
      send(
        frame(TYPE.headers, END_HEADERS, got.stream, OK),
        frame(TYPE.data, END_STREAM, got.stream, Buffer.from('done')),
      )
    })
    const { plane, port, rows } = await startPlane(t, table([h2Pool([target(origin)])], { listeners: [h2Listener()] }))
    t.match(await ask(t, port, POST), /^HTTP\/1\.1 200 [^]*done/, name)
    const bodies = origin.frames.filter(one => one.type === TYPE.data && one.payload.length > 0)
    t.same(
      bodies.map(one => one.payload.toString()),
      ['body', 'body'],
      'the body was sent to both',
    )
    t.same([rows().answered, rows().replayed, open(plane)], [1, 1, 0])

    refused = false
    const reply = await fetchOn(h2Client(t, port), { ':method': 'POST' }, stream => stream.end('body'))
    t.same([reply.status, reply.body], [200, 'done'], `${name}, to a client of HTTP/2`)
  }
})

void t.test('nor is a request lost that its session does not take any more', async t => {
  const origin = await startHttp2Origin(t, server => {
    server.on('stream', stream => {
      stream.respond({ ':status': 200 })
      stream.end('done')
    })
  })
  const { plane, port, rows } = await startPlane(t, table([h2Pool([target(origin)])]))
  t.match(await ask(t, port, POST), /done/)
  const [compiled] = plane.snapshot.pools.values()
  const session = compiled?.ready[0]?.sessions[0]
  if (!(session instanceof UpstreamSession)) throw new Error('no session')
  // As Node's does once a GOAWAY has closed it, of which nobody was told yet.
  session.request = () => {
    Reflect.deleteProperty(session, 'request')
    throw new Error('closed')
  }
  for (const body of ['body', 'x'.repeat(5000)]) {
    const post = `POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    t.match(await ask(t, port, post), /^HTTP\/1\.1 200 /)
  }
  t.match(rows(), { answered: 3, replayed: 1, broken: {} })
})

void t.test('what an instance may have touched is not', async t => {
  let seen = 0
  const origin = await frameOrigin(t, (got, send, socket) => {
    if ((got.flags & END_STREAM) === 0 || got.type > TYPE.headers) return
    // By turns: an error after GOAWAY that includes it, another reset, a cut.
    switch (seen++) {
      case 0:
        send(goaway(got.stream, constants.NGHTTP2_INTERNAL_ERROR))
        break
      case 1:
        send(frame(TYPE.reset, 0, got.stream, uint32(constants.NGHTTP2_INTERNAL_ERROR)))
        break
      default:
        socket.destroy()
    }
  })
  const { plane, port, rows } = await startPlane(t, table([h2Pool([target(origin)])], { listeners: [h2Listener()] }))
  for (let n = 1; n <= 3; n++) {
    t.equal(statusOf(await ask(t, port, POST)), 502)
    t.equal(seen, n, 'it was sent once')
  }
  t.same(rows().broken, { 'upstream-closed': 3 })
  t.equal(open(plane), 0)
})

void t.test(
  'a request that an instance works on when it says GOAWAY is answered; the next one goes elsewhere',
  async t => {
    const waiting: [number, (...parts: Buffer[]) => void][] = []
    const origin = await frameOrigin(t, (got, send, _socket, connection) => {
      if (got.type !== TYPE.headers) return
      if (connection > 1) {
        send(frame(TYPE.headers, END_HEADERS | END_STREAM, got.stream, OK))
        return
      }
      waiting.push([got.stream, send])
      send(goaway(got.stream, 0))
    })
    const { port, rows } = await startPlane(t, table([h2Pool([target(origin)])], { listeners: [h2Listener()] }))
    const first = ask(t, port, GET)
    const [stream, send] = await until('it is at the instance', () => waiting[0] ?? null)
    t.equal(statusOf(await ask(t, port, GET)), 200)
    t.equal(origin.sockets.length, 2)
    send(frame(TYPE.headers, END_HEADERS, stream, OK), frame(TYPE.data, END_STREAM, stream, Buffer.from('late')))
    t.match(await first, /late/)
    t.same([rows().answered, rows().replayed], [2, 0])
  },
)

// What an instance sends after HEADERS of status 200 (or instead), and what the client must see.
const BAD: readonly [name: string, answer: (stream: number) => Buffer[], length: boolean][] = [
  [
    'a reset that says NO_ERROR',
    s => [frame(TYPE.data, 0, s, Buffer.from('half')), frame(TYPE.reset, 0, s, uint32(0))],
    false,
  ],
  [
    'a reset that says CANCEL',
    s => [frame(TYPE.data, 0, s, Buffer.from('half')), frame(TYPE.reset, 0, s, uint32(8))],
    false,
  ],
  ['fewer octets than Content-Length', s => [frame(TYPE.data, END_STREAM, s, Buffer.from('half'))], true],
  ['more octets than Content-Length', s => [frame(TYPE.data, END_STREAM, s, Buffer.from('more than that'))], true],
  [
    'trailers that may be none',
    s => [
      frame(TYPE.data, 0, s, Buffer.from('half')),
      frame(TYPE.headers, END_HEADERS | END_STREAM, s, block([['content-length', '4']])),
    ],
    false,
  ],
]

void t.test('an answer that breaks off or breaks the rules is never whole', async t => {
  for (const [name, rest, hasLength] of BAD) {
    const origin = await frameOrigin(t, (got, send) => {
      if (got.type !== TYPE.headers) return
      const fields = hasLength
        ? ([
            [':status', '200'],
            ['content-length', '10'],
          ] as const)
        : ([[':status', '200']] as const)
      send(frame(TYPE.headers, END_HEADERS, got.stream, block(fields)))
      setImmediate(() => send(...rest(got.stream)))
    })
    const { plane, port } = await startPlane(t, table([h2Pool([target(origin)])], { listeners: [h2Listener()] }))
    const client = await rawClient(t, port, GET)
    const text = await client.end()
    t.notMatch(text, /\r\n0\r\n\r\n$/, `${name} is not ended in good order`)
    if (hasLength) t.ok(text.length - text.indexOf('\r\n\r\n') - 4 < 10, name)
    t.ok(client.failed !== null || text === '' || !text.endsWith('0\r\n\r\n'))
    const reply = await fetchOn(h2Client(t, port))
    t.not(reply.code, 0, `${name} is reset for a client of HTTP/2`)
    await until('both are over', () => open(plane) === 0)
  }
})

void t.test('heads that are none of HTTP/2 become 502', async t => {
  const heads: Record<string, readonly (readonly [string, string])[]> = {
    'no status': [['x', 'y']],
    'a status of letters': [[':status', 'abc']],
    'an upper-case name': [
      [':status', '200'],
      ['Foo', 'x'],
    ],
    Connection: [
      [':status', '200'],
      ['connection', 'close'],
    ],
    'Transfer-Encoding': [
      [':status', '200'],
      ['transfer-encoding', 'chunked'],
    ],
    'two Content-Length': [
      [':status', '200'],
      ['content-length', '1'],
      ['content-length', '1'],
    ],
    'a switch of protocols': [[':status', '101']],
    'a long head': [
      [':status', '200'],
      ['x', 'a'.repeat(16_000)],
      ['y', 'a'.repeat(100)],
    ],
  }
  for (const [name, fields] of Object.entries(heads)) {
    const origin = await frameOrigin(t, (got, send) => {
      if (got.type === TYPE.headers) send(frame(TYPE.headers, END_HEADERS, got.stream, block(fields)))
    })
    const limits = { maxHeadBytes: 16_000 }
    const { port, rows } = await startPlane(t, table([h2Pool([target(origin)])], { limits }))
    t.equal(statusOf(await ask(t, port, GET)), 502, name)
    t.same(rows().broken, { 'bad-response': 1 }, name)
  }
})

void t.test('an instance that does not speak HTTP/2, or nothing at all, is 502', async t => {
  const http1 = await answering(t, 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
  const silent = await startOrigin(t, () => {})
  for (const origin of [http1, silent]) {
    const limits = { connectTimeoutMs: 300 }
    const { plane, port, rows } = await startPlane(t, table([h2Pool([target(origin)])], { limits }))
    t.equal(statusOf(await ask(t, port, GET)), 502)
    t.same(rows().broken, { 'connect-failed': 1 })
    t.equal(open(plane), 0)
    await until('its connection is closed', () =>
      origin.sockets.every(socket => socket.destroyed || socket.readableEnded),
    )
  }
})

void t.test('as many requests at once as the instance allows, then another connection', async t => {
  const held: ServerHttp2Stream[] = []
  const origin = await startHttp2Origin(
    t,
    server =>
      server.on('stream', stream => {
        stream.on('error', () => {})
        held.push(stream)
      }),
    { maxConcurrentStreams: 3 },
  )
  const { plane, port, rows } = await startPlane(t, table([h2Pool([target(origin)])], { listeners: [h2Listener()] }))
  const session = h2Client(t, port)
  const replies = Array.from({ length: 10 }, async () => fetchOn(session))
  await until('all are at the instance', () => held.length === 10)
  t.equal(origin.sessions.length, 4)
  for (const stream of held) stream.respond({ ':status': 200 }, { endStream: true })
  t.ok((await Promise.all(replies)).every(reply => reply.status === 200))
  t.same([rows().answered, rows().replayed, open(plane)], [10, 0, 0])
})

void t.test('sessions are reused, and retired when idle, when their target drains and when it goes', async t => {
  const held: ServerHttp2Stream[] = []
  const origin = await startHttp2Origin(t, server =>
    server.on('stream', (stream, fields) => {
      stream.on('error', () => {})
      if (fields[':path'] === '/held') held.push(stream)
      else stream.respond({ ':status': 200 }, { endStream: true })
    }),
  )
  const both = [target(origin)]
  const listeners = [h2Listener()]
  const { plane, port, drained } = await startPlane(t, table([h2Pool(both)], { listeners }))
  const session = h2Client(t, port)
  for (let n = 0; n < 5; n++) t.equal((await fetchOn(session)).status, 200)
  t.equal(origin.sessions.length, 1)
  await until('it is retired', () => origin.sessions[0]?.destroyed, { timeoutMs: 8000 })

  const reply = fetchOn(session, { ':path': '/held' })
  await until('it is at the instance', () => held.length === 1)
  plane.apply(table([h2Pool([target(origin, { state: 'draining' })])], { listeners }))
  t.equal((await fetchOn(session)).status, 503, 'a draining target gets nothing new')
  t.notOk(origin.sessions[1]?.destroyed, 'what it has goes on')
  held[0]?.respond({ ':status': 200 }, { endStream: true })
  t.equal((await reply).status, 200)
  await until('the drain is over', () => drained() > 0)
  await until('its session is closed', () => origin.sessions[1]?.destroyed)
})

void t.test('cancelling one request leaves the others of its session alone', async t => {
  const held = new Map<string, ServerHttp2Stream>()
  const origin = await startHttp2Origin(t, server =>
    server.on('stream', (stream, fields) => {
      stream.on('error', () => {})
      held.set(String(fields[':path']), stream)
    }),
  )
  const { port, rows } = await startPlane(t, table([h2Pool([target(origin)])], { listeners: [h2Listener()] }))
  const session = h2Client(t, port)
  const gone = session.request({ ':path': '/gone' })
  gone.on('error', () => {})
  const stays = fetchOn(session, { ':path': '/stays' })
  await until('both are at the instance', () => held.size === 2)
  t.equal(origin.sessions.length, 1)
  gone.close(constants.NGHTTP2_CANCEL)
  await until('it is cancelled there', () => held.get('/gone')?.rstCode === constants.NGHTTP2_CANCEL)
  held.get('/stays')?.respond({ ':status': 200 }, { endStream: true })
  t.equal((await stays).status, 200)
  t.same([rows().answered, rows().clientGone], [1, 1])
})

void t.test('whatever fields a client of HTTP/1.1 sends, an instance gets them or the proxy lives without', async t => {
  let got: Record<string, unknown> = {}
  const origin = await startHttp2Origin(t, server =>
    server.on('stream', (stream, fields) => {
      got = { ...fields }
      stream.on('error', () => {})
      stream.respond({ ':status': 200 }, { endStream: true })
    }),
  )
  const { port } = await startPlane(t, table([h2Pool([target(origin)])]))
  const fields =
    'Authorization: a\r\nAuthorization: b\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\nReferer: /a\r\nReferer: /b\r\n' +
    'Cookie: a=1\r\nCookie: b=2\r\n__proto__: 1\r\nHTTP2-Settings: x\r\nTE: gzip\r\nX-Latin:  caf\xe9 \r\nX-Empty:\r\nX_y: z\r\n' +
    'Connection: keep-alive, http2-settings\r\nUpgrade: h2c\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\n'
  t.equal(statusOf(await ask(t, port, `GET / HTTP/1.1\r\nHost: app.localhost\r\n${fields}\r\n`)), 200)
  t.equal(got['authorization'], 'a, b')
  t.equal(got['x-latin'], 'caf\xe9')
  t.equal(got['x-empty'], '')
  t.equal(got['x_y'], 'z')
  t.equal(got['te'], 'trailers')
  t.equal(got['cookie'], 'a=1; b=2')
  for (const name of ['http2-settings', 'connection', 'upgrade', 'keep-alive', 'proxy-connection']) t.notOk(name in got)
})

void t.test('interim answers pass, too many do not', async t => {
  const hints = block([
    [':status', '103'],
    ['link', '</a>'],
  ])
  const origin = await frameOrigin(t, (got, send) => {
    if (got.type !== TYPE.headers) return
    const count = got.payload.includes('/many') ? 200 : 2
    for (let n = 0; n < count; n++) send(frame(TYPE.headers, END_HEADERS, got.stream, hints))
    send(frame(TYPE.headers, END_HEADERS | END_STREAM, got.stream, OK))
  })
  const { port } = await startPlane(t, table([h2Pool([target(origin)])]))
  const text = await (await rawClient(t, port, GET)).until(got => got.includes(' 200 '))
  t.equal(text.split('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n').length, 3)
  t.match(text, /content-length: 0\r\n/i, 'an answer without a body says so in HTTP/1.1')
})

/** An instance whose settings come only when it is told to go on. */
async function startSlow(t: Test): Promise<{ port: number; sockets: Socket[]; goOn: () => void }> {
  const origin = await startHttp2Origin(t, server => {
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200 })
      stream.end('done')
    })
  })
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const goOn = (): void => {
    for (const socket of sockets) {
      const through = connect({ port: origin.port, host: '127.0.0.1' })
      through.on('error', () => {})
      socket.pipe(through).pipe(socket)
    }
  }
  return { port: (server.address() as AddressInfo).port, sockets, goOn }
}

void t.test('a client that leaves while a session is dialled takes nothing from those who wait for it too', async t => {
  const origin = await startSlow(t)
  const { plane, port, rows } = await startPlane(t, table([h2Pool([target(origin)])]))
  const inFlight = (): number => Object.values(plane.status().inFlight).reduce((sum, count) => sum + count, 0)
  const leaving = await rawClient(t, port, GET)
  const staying = await rawClient(t, port, POST)
  await until('both wait', () => inFlight() === 2)
  leaving.socket.resetAndDestroy()
  await until('one is gone', () => inFlight() === 1)
  origin.goOn()
  t.equal(statusOf(await staying.until(text => text.includes('done'))), 200)
  t.equal(origin.sockets.length, 1, 'by the same session')
  t.same([rows().answered, rows().clientGone, rows().broken], [1, 1, {}])
})

void t.test('a session that all have left while it was dialled is closed', async t => {
  const origin = await startSlow(t)
  const limits = { connectTimeoutMs: 300 }
  const { plane, port } = await startPlane(t, table([h2Pool([target(origin)])], { limits }))
  const clients = [await rawClient(t, port, POST), await rawClient(t, port, POST)]
  for (const client of clients) t.equal(statusOf(await client.until(text => text.includes('\r\n\r\n'))), 502)
  for (const socket of origin.sockets) socket.resume()
  await until('no connection is left', () => origin.sockets.every(socket => socket.destroyed))
  t.equal(open(plane), 0)
})
