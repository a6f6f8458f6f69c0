import { createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { HandleStream } from '../../../proxy/connections/handle-stream.ts'
import { until } from '../../support/until.ts'
import { ok, open, pool, rawClient, startOrigin, startPlane, table, target } from './support.ts'

const BODY = 'x'.repeat(10_000)
const KIB = 1024

/** A connected client that reads nothing until it is resumed; `count` requests are sent at once. */
async function startMute(t: Parameters<typeof startOrigin>[0], count: number, limits = {}) {
  let served = 0
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.endsWith('\r\n\r\n')) return
    clear()
    served++
    socket.write(ok(BODY))
  })
  const plane = await startPlane(t, table([pool([target(origin)])], { limits }))
  const client = await rawClient(t, plane.port)
  client.socket.pause()
  const path = 'p'.repeat(50)
  client.send(`GET /${path} HTTP/1.1\r\nHost: app.localhost\r\n\r\n`.repeat(count))
  /** Nothing more was served for a while, although there is more to serve. */
  const stuck = async (): Promise<number> => {
    let last = -1
    let since = performance.now()
    await until('no more is served', () => {
      if (served !== last) {
        last = served
        since = performance.now()
      }
      return served > 0 && performance.now() - since > 300
    })
    return served
  }
  return { ...plane, client, stuck, served: () => served }
}

void t.test('requests are served no faster than their answers are taken, and none is lost', async t => {
  const count = 5000
  const { plane, client, stuck, served, rows } = await startMute(t, count)
  t.ok((await stuck()) < count / 2, `${served()} of ${count} were served to a client that reads nothing`)
  client.socket.end()
  client.socket.resume()
  let got = 0
  client.socket.on('data', (chunk: Buffer) => (got += chunk.length))
  client.text = ''
  await until('all are served', () => served() === count, { timeoutMs: 30_000 })
  await client.end()
  await until('all are over', () => rows().answered === count && open(plane) === 0)
  t.ok(got >= count * BODY.length)
})

void t.test('a client that takes nothing for too long is let go, though it asks for more', async t => {
  const { client, stuck, plane } = await startMute(t, 1500, { idleTimeoutMs: 1000 })
  await stuck()
  await until('it is let go', () => plane.connections === 0)
  client.socket.destroy()
  t.equal(open(plane), 0)
})

void t.test('what waits to be sent keeps about as much memory as it is long', async t => {
  const server = createServer({ pauseOnConnect: true })
  const accepted: Socket[] = []
  server.on('connection', socket => accepted.push(socket))
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const text = 'h'.repeat(KIB)
  const part = Buffer.alloc(KIB, 'b')
  const streams: HandleStream[] = []
  for (let n = 0; n < 8; n++) {
    const stream = await new Promise<HandleStream>((resolve, reject) => {
      const dialled = HandleStream.dial(
        '127.0.0.1',
        port,
        { onBytes: () => {}, onEnd: () => {}, onDrain: () => {}, onClose: () => {} },
        { onOpen: () => dialled !== null && resolve(dialled), onFail: reject },
      )
    })
    t.teardown(() => stream.destroy())
    streams.push(stream)
  }
  const before = process.memoryUsage().arrayBuffers
  // Each until a write does not end at once, and then more behind it.
  for (const stream of streams) {
    while (stream.pending === 0) stream.writeJoined(text, part)
    for (let n = 0; n < 50; n++) stream.writeJoined(text, part)
  }
  const pending = streams.reduce((sum, stream) => sum + stream.pending, 0)
  const grown = process.memoryUsage().arrayBuffers - before
  t.ok(pending >= streams.length * 51 * 2 * KIB)
  t.ok(grown < 3 * pending, `${grown} bytes kept for ${pending}`)

  const pair = Buffer.concat([Buffer.from(text), part])
  const pattern = Buffer.concat(Array.from({ length: 100 }, () => pair))
  let wrong = 0
  for (const socket of accepted) {
    let at = 0
    socket.on('data', (chunk: Buffer) => {
      const from = at % pair.length
      if (!chunk.equals(pattern.subarray(from, from + chunk.length))) wrong++
      at += chunk.length
    })
    socket.resume()
  }
  await until('all has left', () => streams.every(stream => stream.pending === 0))
  t.equal(wrong, 0, 'and comes as it was written')
})
