import type { Socket } from 'node:net'
import t from 'tap'
import { until } from '../../support/until.ts'
import { ask, isWhole, ok, pool, rawClient, startOrigin, startPlane, statusOf, table, target } from './support.ts'

// What one table of bytes cannot say: who does what in the meantime.

const HOST = 'Host: app\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`

void t.test('an early answer reaches the client although the instance cuts while the body is still coming', async t => {
  // It takes the head, answers and closes with the body unread: its reset races what the proxy goes on writing.
  const origin = await startOrigin(t, (_text, socket) => {
    socket.pause()
    socket.write('HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig', () =>
      socket.resetAndDestroy(),
    )
  })
  const { plane, port, rows } = await startPlane(t, table([pool([target(origin)])]))
  const piece = Buffer.alloc(20_000, 'x')
  const ROUNDS = 40
  for (let round = 0; round < ROUNDS; round++) {
    const client = await rawClient(t, port, `POST / HTTP/1.1\r\n${HOST}Content-Length: 100000000\r\n\r\n`)
    const feed = (): void => {
      while (!client.ended && !client.closed && client.socket.write(piece));
      if (!client.ended && !client.closed) client.socket.once('drain', feed)
    }
    feed()
    const text = await client.end()
    t.equal(statusOf(text), 413)
    t.ok(text.endsWith('\r\n\r\nbig'))
    client.socket.destroy()
  }
  await until('nothing is in flight', () => Object.keys(plane.status().inFlight).length === 0)
  t.equal(rows().answered, ROUNDS)
  t.same(rows().broken, {})
})

void t.test(
  'what an instance said before a request is no answer to it, even if the request cannot be written',
  async t => {
    let polite = true
    const origin = await startOrigin(t, (text, socket, clear) => {
      if (!text.endsWith('\r\n\r\n')) return
      clear()
      socket.write(ok(polite ? 'first' : 'second'))
    })
    const { port } = await startPlane(t, table([pool([target(origin)])]))
    for (let round = 0; round < 20; round++) {
      polite = true
      t.match(await ask(t, port, GET), /first$/)
      polite = false
      // Idle: the instance gives up on the connection in the words of many servers, as the next request arrives.
      const idle = origin.sockets.at(-1)
      idle?.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () =>
        idle.resetAndDestroy(),
      )
      t.match(await ask(t, port, GET), /second$/)
    }
  },
)

void t.test('the end of a head is not found in octets that an earlier read left behind', async t => {
  let instance: Socket | null = null
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    // Fills the shared read buffer with LF.
    if (text.startsWith('GET /fill')) socket.write(ok('\n'.repeat(60_000)))
    else if (text.startsWith('GET /split')) instance = socket
    else socket.write(ok('other'))
  })
  const { port } = await startPlane(t, table([pool([target(origin)])]))
  await ask(t, port, `GET /fill HTTP/1.1\r\n${HOST}\r\n`)
  const client = await rawClient(t, port, `GET /split HTTP/1.1\r\n${HOST}\r\n`)
  const socket = await until('the request is there', () => instance)
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: ${'b'.repeat(9000)}\r\n\r`)
  // By the time another exchange is over, the part of a head has been read.
  t.match(await ask(t, port, GET), /other$/)
  socket.write('\nhello')
  t.match(await client.until(isWhole), /b\r\n[^b]*\r\n\r\nhello$/)
  client.text = ''
  client.send(GET)
  t.match(await client.until(isWhole), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nother$/)
})

void t.test('the answer to a broken request after a HEAD has its body', async t => {
  const origin = await startOrigin(t, (_text, socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'))
  const { port } = await startPlane(t, table([pool([target(origin)])]))
  const client = await rawClient(t, port, `HEAD / HTTP/1.1\r\n${HOST}\r\n`)
  await client.until(text => text.endsWith('\r\n\r\n'))
  client.text = ''
  client.send('GET / HTTP/1.1\n')
  const text = await client.end()
  t.equal(statusOf(text), 400)
  t.ok(isWhole(text))
})

void t.test('empty lines do not keep a connection without a request open', async t => {
  const origin = await startOrigin(t, () => {})
  const limits = { keepAliveTimeoutMs: 400 }
  const { port } = await startPlane(t, table([pool([target(origin)])], { limits }))
  const client = await rawClient(t, port)
  const timer = setInterval(() => client.send('\r\n'), 50)
  t.teardown(() => clearInterval(timer))
  t.equal(await client.end(), '')
})

void t.test('a client that ends its side within a body ends the request at the instance', async t => {
  let gone = 0
  const origin = await startOrigin(t, (_text, socket) => {
    socket.once('close', () => gone++)
  })
  const { port, rows } = await startPlane(t, table([pool([target(origin)])]))
  for (const framing of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
    gone = 0
    const client = await rawClient(t, port, `POST / HTTP/1.1\r\n${HOST}${framing}\r\n\r\n`)
    await until('the instance has the head', () => origin.received.at(-1)?.endsWith('\r\n\r\n'))
    client.socket.end('5\r\nhe')
    await until('the instance sees its end', () => gone > 0)
    t.equal(await client.end(), '')
  }
  t.equal(rows().clientGone, 2)
})
