import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { connect, type Socket } from 'node:net'
import { test } from 'tap'
import { UpstreamSession } from '../../../../proxy/http2/upstream-session.ts'
import { until } from '../../../support/until.ts'
import { open, pool, startPlane, table, target } from '../support.ts'
import { h2Client, h2Listener, h2Pool, startHttp2Origin } from './support.ts'

test('a stream answered while its body is not read leaves nothing behind', async t => {
  const { plane, port } = await startPlane(
    t,
    table([pool([], { expecting: true })], { listeners: [h2Listener()], limits: { holdTimeoutMs: 200 } }),
  )
  const session = h2Client(t, port)
  let answers = 0
  for (let n = 0; n < 8; n++) {
    const stream = session.request({ ':method': 'POST', ':path': '/', ':authority': 'app.localhost' })
    stream.on('error', () => {})
    stream.on('response', () => answers++)
    stream.resume()
    // More than a stream's window: the proxy stops reading, and still has some of it when it answers 503.
    stream.write(Buffer.alloc(200_000))
  }
  await until('every stream is answered', () => answers === 8)
  session.destroy()
  await until('the connection is forgotten', () => plane.connections === 0)
  t.equal(plane.descriptors, 0, 'and its streams')
  t.equal(open(plane), 0)
})

test('a session with an instance is free again after a client left in the middle of a paused answer', async t => {
  const size = 8 * 1024 * 1024
  let streams = 0
  const origin = await startHttp2Origin(t, server =>
    server.on('stream', stream => {
      streams++
      stream.on('error', () => {})
      stream.on('close', () => streams--)
      stream.respond({ ':status': 200 })
      stream.end(Buffer.alloc(size))
    }),
  )
  const { plane, port } = await startPlane(t, table([h2Pool([target(origin)])]))
  const client = connect({ port, host: '127.0.0.1' })
  client.on('error', () => {})
  t.teardown(() => client.destroy())
  client.write('GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n')
  await until('the instance answers', () => streams === 1)
  client.resetAndDestroy()
  await until('the instance is told', () => streams === 0)
  await until('the session is idle', () => plane.descriptors === 1)
  t.equal(open(plane), 0)
})

test('an instance that accepts just as nobody waits any more does no harm', async t => {
  const origin = await startHttp2Origin(t, () => {})
  const { plane } = await startPlane(t, table([h2Pool([target(origin)])]))
  const [compiled] = plane.snapshot.pools.values()
  const [state] = compiled?.ready ?? []
  if (state === undefined) throw new Error('no target')
  const dialled: Socket[] = []
  const note = (message: unknown): void => void dialled.push((message as { socket: Socket }).socket)
  subscribe('net.client.socket', note)
  let session: UpstreamSession | null = null
  const waiter = {
    waitFor: (joined: UpstreamSession) => {
      session = joined
    },
    onReady: () => t.fail('it had left'),
    onFailed: () => t.fail('it had left'),
  }
  UpstreamSession.dial(state, waiter)
  unsubscribe('net.client.socket', note)
  const [socket] = dialled
  // After the session's own listener, before it says so.
  socket?.once('connect', () => session?.leave(waiter))
  await until('the connection is closed', () => socket?.destroyed === true)
  t.equal(state.sessions.length, 0)
})
