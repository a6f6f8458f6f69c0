import type { ServerHttp2Stream } from 'node:http2'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { Peer } from '../../../../proxy/connections/peer.ts'
import { Http2Connection } from '../../../../proxy/http2/http2-connection.ts'
import { frameClient, get, TYPE } from '../../../support/http2-frames.ts'
import { until } from '../../../support/until.ts'
import { DEFAULT_LIMITS, type RoutingTable } from '../../../../src/contracts/routing.ts'
import { answering, ok, open, startOrigin, startPlane, table, target, pool, type Test } from '../support.ts'
import { fetchOn, h2Client, h2Listener, h2Pool, startHttp2Origin } from './support.ts'

const listeners = [h2Listener()]

/** The table before a swap and the one after: both deployments stay, the listener's pool is the other one's. */
async function versions(t: Test, backend: 'h1' | 'h2c'): Promise<[RoutingTable, RoutingTable]> {
  const pools = await Promise.all(
    ['old', 'new'].map(async version => {
      const origin =
        backend === 'h1'
          ? await answering(t, ok(version))
          : await startHttp2Origin(t, server =>
              server.on('stream', stream => {
                stream.on('error', () => {})
                stream.respond({ ':status': 200 })
                stream.end(version)
              }),
            )
      const targets = [target(origin, { version, key: version })]
      const change = { deployment: version, key: version }
      return backend === 'h1' ? pool(targets, change) : h2Pool(targets, change)
    }),
  )
  return [
    table(pools, { listeners: [h2Listener({ pool: 'old' })] }),
    table(pools, { listeners: [h2Listener({ pool: 'new' })] }),
  ]
}

for (const backend of ['h1', 'h2c'] as const) {
  void t.test(`swaps lose no stream and never go back (${backend} instances)`, async t => {
    const [old, young] = await versions(t, backend)
    const { plane, port, rows } = await startPlane(t, old)
    const sessions = Array.from({ length: 4 }, () => h2Client(t, port))
    const wrong: string[] = []
    let answered = 0
    let current = 'old'
    let done = false
    let swaps = 0
    const load = sessions.flatMap(session =>
      Array.from({ length: 4 }, async () => {
        while (!done) {
          // A request begun after a swap is served by what it swapped in.
          const begun = current
          const swapsBefore = swaps
          const { status, body, code } = await fetchOn(session)
          if (status !== 200 || code !== 0) wrong.push(`${status} ${code}`)
          else if (swaps === swapsBefore && body !== begun) wrong.push(`${body} instead of ${begun}`)
          answered++
        }
      }),
    )
    while (swaps < 30) {
      const before = answered
      await until('the load goes on', () => answered > before + 30, { intervalMs: 1 })
      current = current === 'old' ? 'new' : 'old'
      swaps++
      plane.apply(current === 'new' ? young : old)
    }
    done = true
    await Promise.all(load)
    t.same(wrong, [])
    const { arrived, answered: counted, broken } = rows()
    t.same([arrived, counted, broken, open(plane)], [answered, answered, {}, 0])
    t.equal(plane.connections, 4, 'no client had to connect again')
  })
}

void t.test('streams are held while nothing is ready, and served by what becomes ready', async t => {
  const origin = await startHttp2Origin(t, server =>
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => {})
      stream.respond({ ':status': 200 })
      stream.pipe(stream)
    }),
  )
  const { plane, port, rows } = await startPlane(t, table([h2Pool([], { expecting: true })], { listeners }))
  const session = h2Client(t, port)
  const replies = Array.from({ length: 50 }, async (_, n) =>
    fetchOn(session, { ':method': 'POST' }, stream => stream.end(`body ${n}`)),
  )
  const gone = session.request({ ':path': '/' })
  gone.on('error', () => {})
  await until('all are held', () => plane.hold.size === 51)
  gone.close(8)
  await until('one has left', () => plane.hold.size === 50)
  plane.apply(table([h2Pool([target(origin)])], { listeners }))
  t.same(
    (await Promise.all(replies)).map(reply => reply.body),
    replies.map((_, n) => `body ${n}`),
  )
  const { arrived, answered, clientGone, held } = rows()
  t.same([arrived, answered, clientGone, held, open(plane)], [51, 50, 1, 51, 0])
})

void t.test('ten thousand streams at once cost what they cost, and leave nothing behind', async t => {
  const origin = await startOrigin(t, () => {})
  const limits = { holdMax: 20_000, holdBytes: 1024 * 1024 * 1024 }
  const { plane, port, rows } = await startPlane(t, table([h2Pool([], { expecting: true })], { listeners, limits }))
  t.ok(DEFAULT_LIMITS.holdMax < 20_000)
  const before = process.memoryUsage()
  const clients = await Promise.all(Array.from({ length: 100 }, async () => frameClient(t, port)))
  for (const client of clients) {
    client.send(...Array.from({ length: 100 }, (_, n) => get(2 * n + 1)))
  }
  await until('all are held', () => plane.hold.size === 10_000)
  const after = process.memoryUsage()
  const each = (after.rss - before.rss) / 10_000
  t.comment(`${Math.round(each)} octets of resident memory a stream`)
  t.ok(each < 40_000, `${each} octets a stream`)
  for (const client of clients) client.socket.destroy()
  await until('all are gone', () => plane.hold.size === 0 && plane.connections === 0)
  t.same([rows().arrived, rows().clientGone, open(plane)], [10_000, 10_000, 0])
  t.equal(plane.descriptors, 0)
  t.equal(origin.sockets.length, 0)
  t.equal(clients[0]?.of(TYPE.goaway).length, 0)
})

void t.test('a connection that is destroyed can still be told to close', async t => {
  const { plane } = await startPlane(t, table([], { listeners }))
  const server = createServer({ pauseOnConnect: true })
  const accepted = new Promise<Socket>(resolve => {
    server.once('connection', resolve)
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const client = connect({ port, host: '127.0.0.1' })
  client.on('error', () => {})
  t.teardown(() => client.destroy())
  let isClosed = false
  const owner = { onStreams: () => {}, remove: () => void (isClosed = true) }
  const peer = new Peer({ address: '127.0.0.1', port: 1, localAddress: '127.0.0.1', localPort: port }, null, '2.0')
  const connection = new Http2Connection(plane, owner, '127.0.0.1:1', await accepted, peer)
  connection.destroy()
  // Node tells of the end a moment later; the sweep may come in between.
  t.notOk(isClosed)
  connection.closeIfIdle()
  await until('it is closed', () => isClosed)
})
