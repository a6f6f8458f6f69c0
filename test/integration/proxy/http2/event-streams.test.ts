import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import t from 'tap'
import { until } from '../../../support/until.ts'
import { answering, ok, open, pool, startOrigin, startPlane, table, target, type Test } from '../support.ts'
import { fetchOn, h2Client, h2Listener, h2Pool, startHttp2Origin } from './support.ts'

const listeners = [h2Listener()]
const DRAIN_MS = 300

interface Events {
  readonly port: number
  /** Says more on the stream that is open. */
  readonly say: (text: string) => void
}

async function plainEvents(t: Test): Promise<Events> {
  const streams: Socket[] = []
  const { port } = await startOrigin(t, (text, socket, clear) => {
    if (!text.endsWith('\r\n\r\n')) return
    clear()
    streams.push(socket)
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
  })
  return { port, say: text => streams[0]?.write(`${text.length.toString(16)}\r\n${text}\r\n`) }
}

async function http2Events(t: Test): Promise<Events> {
  const streams: ServerHttp2Stream[] = []
  const { port } = await startHttp2Origin(t, server =>
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => {})
      streams.push(stream)
      stream.respond({ ':status': 200, 'content-type': 'text/event-stream' })
    }),
  )
  return { port, say: text => streams[0]?.write(text) }
}

for (const backend of ['h1', 'h2c'] as const) {
  void t.test(`a drain ends a stream of events over HTTP/2 between two of them, from ${backend}`, async t => {
    const events = await (backend === 'h1' ? plainEvents : http2Events)(t)
    const other = await answering(t, ok('other'))
    const old = target(events)
    const pooled = backend === 'h1' ? pool : h2Pool
    const { plane, port, rows } = await startPlane(t, table([pooled([old])], { listeners }))
    const session = h2Client(t, port)
    const stream = session.request({ ':path': '/events', ':authority': 'app.localhost' })
    let text = ''
    let over = false
    stream.setEncoding('utf8')
    stream.on('data', (part: string) => (text += part))
    stream.on('end', () => (over = true))
    await new Promise(resolve => {
      stream.once('response', resolve)
    })
    events.say('data: 1\n\nda')
    await until('the event and the beginning of one are there', () => text === 'data: 1\n\nda')
    const draining = pooled([{ ...old, state: 'draining', drainMs: DRAIN_MS }])
    const fresh = pool([target(other, { name: 'web_IN_1' })], { key: 'other' })
    plane.apply(table([draining, fresh], { listeners: [{ ...h2Listener(), pool: fresh.key }] }))
    events.say('ta: 2\n\n')
    await until('the stream is over', () => over)
    t.equal(text, 'data: 1\n\ndata: 2\n\n')
    t.equal(stream.rstCode, 0, 'by END_STREAM')
    t.equal((await fetchOn(session, { ':path': '/' })).body, 'other', 'the connection goes on')
    t.same([rows().answered, rows().broken, open(plane)], [2, {}, 0])
  })
}
