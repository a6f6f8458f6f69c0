import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { connect as connectTcp, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { request } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { createServer as createTlsServer } from 'node:tls'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import type { ByteHandler } from '../../../proxy/connections/byte-stream.ts'
import { SocketStream } from '../../../proxy/connections/socket-stream.ts'
import { TlsStream } from '../../../proxy/connections/tls-stream.ts'
import { until } from '../../support/until.ts'
import { isWhole, ok, pool, startOrigin, startPlane, statusOf, table, target, type TestPlane } from './support.ts'
import { get, httpsListener, serverCertificate, tlsClient, withCertificates } from './tls-support.ts'

interface Test {
  teardown(fn: () => unknown): void
}

async function secured(t: Test, origin: { port: number }): Promise<TestPlane> {
  const certificate = await serverCertificate(['app.localhost'])
  return startPlane(
    t,
    withCertificates(table([pool([target(origin)])], { listeners: [httpsListener([certificate])] }), [certificate]),
  )
}

/** An instance that answers a request's body with the same bytes. */
async function startMirror(t: Test): Promise<{ port: number }> {
  const server = createServer((asked, answer) => {
    void buffer(asked).then(body => answer.end(body))
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port }
}

void t.test('bodies of all sizes and framings pass through TLS byte for byte, both ways', async t => {
  const { port, plane } = await secured(t, await startMirror(t))
  const sizes = [0, 1, 1000, 16_383, 16_384, 16_385, 65_536, 1_000_000, 8_000_000]
  await Promise.all(
    sizes.flatMap(size =>
      [true, false].map(async chunked => {
        const body = randomBytes(size)
        const came = await new Promise<Buffer>((resolve, reject) => {
          const headers = { Host: 'app.localhost', ...(chunked ? {} : { 'Content-Length': size }) }
          const options = { host: '127.0.0.1', port, method: 'POST', headers, rejectUnauthorized: false, agent: false }
          const asked = request(options, response => void buffer(response).then(resolve, reject))
          asked.on('error', reject)
          for (let at = 0; at < size; at += 70_000) asked.write(body.subarray(at, at + 70_000))
          asked.end()
        })
        t.ok(came.equals(body), `${size} octets ${chunked ? 'chunked' : 'with their length'}`)
      }),
    ),
  )
  await until('every connection is over', () => plane.connections === 0)
})

void t.test('a WebSocket passes through TLS, large messages too', async t => {
  const http = createServer()
  const server = new WebSocketServer({ server: http })
  server.on('connection', socket => socket.on('message', (data, binary) => socket.send(data, { binary })))
  await new Promise<void>(resolve => {
    http.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    for (const client of server.clients) client.terminate()
    http.close()
  })
  const { port, rows, plane } = await secured(t, { port: (http.address() as AddressInfo).port })
  const socket = new WebSocket(`wss://127.0.0.1:${port}/`, {
    rejectUnauthorized: false,
    headers: { Host: 'app.localhost' },
  })
  t.teardown(() => socket.terminate())
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  for (const size of [5, 100_000, 3_000_000]) {
    const sent = randomBytes(size)
    socket.send(sent)
    const came = await new Promise<Buffer>(resolve => {
      socket.once('message', data => resolve(data as Buffer))
    })
    t.ok(came.equals(sent), `${size} octets`)
  }
  socket.close()
  await until('it is over', () => plane.connections === 0)
  t.equal(rows('app/production/web/https').answered, 1)
})

void t.test('a client that has ended its side still gets its answer, with an end', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    setTimeout(() => socket.write(ok('late')), 50)
  })
  const { port } = await secured(t, origin)
  const client = await tlsClient(t, port)
  client.socket.end(get('app.localhost'))
  t.match(await client.end(), /late$/)
  t.ok(client.ended)
})

void t.test('requests sent together are answered in order, without waiting for one another', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    const paths = [...text.matchAll(/GET (\S+) HTTP/g)].map(match => match[1] ?? '')
    if (!text.endsWith('\r\n\r\n')) return
    clear()
    for (const path of paths) socket.write(ok(path))
  })
  const { port } = await secured(t, origin)
  const client = await tlsClient(t, port)
  const paths = Array.from({ length: 50 }, (_, n) => `/n${n}.`)
  client.send(paths.map(path => `GET ${path} HTTP/1.1\r\nHost: app.localhost\r\n\r\n`).join(''))
  const text = await client.until(came => came.includes('/n49.'))
  t.same(text.match(/\/n\d+\./g), paths)
})

void t.test('a client that does not read stops the instance; memory stays bounded; then it gets all of it', async t => {
  const size = 64 * 1024 * 1024
  const hash = createHash('sha256')
  let written = 0
  const server = createServer((_asked, answer) => {
    answer.writeHead(200, { 'Content-Length': size })
    const more = (): void => {
      while (written < size) {
        const part = randomBytes(64 * 1024)
        hash.update(part)
        written += part.length
        if (!answer.write(part)) return void answer.once('drain', more)
      }
      answer.end()
    }
    more()
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => server.close())
  const { port, plane } = await secured(t, { port: (server.address() as AddressInfo).port })
  const client = await tlsClient(t, port)
  const came = createHash('sha256')
  let head: Buffer = Buffer.alloc(0)
  let body = 0
  client.socket.removeAllListeners('data')
  client.socket.pause()
  client.send(get('app.localhost'))
  // What is on its way in the kernel's buffers and here does not grow any more.
  let last = -1
  await until('the instance is stopped', async () => {
    const before = written
    await new Promise(resolve => {
      setTimeout(resolve, 200)
    })
    last = written
    return before > 0 && written === before
  })
  t.ok(last < 32 * 1024 * 1024, `${last} octets were taken of ${size}`)
  client.socket.on('data', (chunk: Buffer) => {
    let part = chunk
    if (head !== null && body === 0) {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      part = head.subarray(end + 4)
    }
    came.update(part)
    body += part.length
  })
  client.socket.resume()
  await until('all of it came', () => body === size)
  t.equal(came.digest('hex'), hash.digest('hex'))
  client.socket.destroy()
  await until('it is over', () => plane.connections === 0)
})

void t.test('an instance that does not read stops the client', async t => {
  const origin = await startOrigin(t, (_text, socket) => void socket.pause())
  const { port } = await secured(t, origin)
  const client = await tlsClient(t, port)
  const part = 'x'.repeat(1024 * 1024)
  client.send(`POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: ${64 * part.length}\r\n\r\n`)
  for (let n = 0; n < 64; n++) client.send(part)
  let last = -1
  await until('the client is stopped', async () => {
    const before = client.socket.writableLength
    await new Promise(resolve => {
      setTimeout(resolve, 200)
    })
    last = client.socket.writableLength
    return last === before
  })
  t.ok(last > 32 * part.length, `${last} octets were not taken`)
})

void t.test('a drain tells clients over TLS to connect again', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    socket.write(ok('hello'))
  })
  const { port, plane } = await secured(t, origin)
  const client = await tlsClient(t, port)
  client.send(get('app.localhost'))
  t.equal(statusOf(await client.until(isWhole)), 200)
  const closed = plane.close(5000)
  await client.end()
  t.ok(client.ended, 'an idle connection is ended in good order')
  client.socket.end()
  await closed
})

/** Both ways of reading by `'data'`, which serve where a Node does not let its handles be reached. */
for (const kind of ['TCP', 'TLS'] as const) {
  void t.test(`${kind} read by 'data': bytes, drain, end, pause and reset`, async t => {
    const certificate = await serverCertificate(['app.localhost'])
    const seen: string[] = []
    let text = ''
    const handler: ByteHandler = {
      onBytes: (bytes, start, end) => {
        text += bytes.toString('latin1', start, end)
      },
      onEnd: () => seen.push('end'),
      onDrain: () => seen.push('drain'),
      onClose: () => seen.push('close'),
    }
    let stream: SocketStream | TlsStream | null = null
    const server = createTcpServer({ allowHalfOpen: true, pauseOnConnect: true }, socket => {
      if (kind === 'TCP') stream = SocketStream.accepted(socket, handler)
      else tls.emit('connection', socket)
      if (kind === 'TLS') under = socket
    })
    let under: Socket | null = null
    const tls = createTlsServer({ cert: certificate.made.chain, key: certificate.made.key }, socket => {
      if (under !== null) stream = new TlsStream(socket, under, handler, 'data')
    })
    await new Promise<void>(resolve => {
      server.listen(0, '127.0.0.1', resolve)
    })
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    const client =
      kind === 'TLS'
        ? (await tlsClient(t, port)).socket
        : await new Promise<Socket>(resolve => {
            const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true }, () => resolve(socket))
          })
    client.on('error', () => {})
    t.teardown(() => client.destroy())
    const at = await until('it is accepted', () => stream)
    client.write('hello')
    await until('it came', () => text === 'hello')
    t.notOk(at.volatile, 'each chunk is memory of its own')
    let back = 0
    client.on('data', chunk => {
      back += chunk.length
    })
    at.write('x'.repeat(16_000_000))
    t.ok(at.pending > 0)
    await until('it is told that all has left', () => seen.includes('drain'))
    t.equal(at.pending, 0)
    await until('all of it came', () => back === 16_000_000)
    client.end()
    await until('the end is told', () => seen.includes('end'))
    at.write('still')
    await until('half-open', () => back === 16_000_005)
    at.reset()
    await until('it is gone', () => seen.includes('close'))
    t.ok(at.destroyed)
    await until('the client sees it', () => client.destroyed)
  })
}
