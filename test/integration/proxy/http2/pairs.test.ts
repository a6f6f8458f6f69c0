import { createServer, request, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ClientHttp2Session, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { open, pool, startPlane, table, target, type Test } from '../support.ts'
import { until } from '../../../support/until.ts'
import { fetchOn, h2Client, h2Listener, h2Pool, startHttp2Origin, type Reply } from './support.ts'

type Request = IncomingMessage | Http2ServerRequest
type Response = ServerResponse | Http2ServerResponse

const BIG = 3 * 1024 * 1024

/** One instance, whatever it speaks. */
function app(got: Request[]) {
  return (asked: Request, answer: Response): void => {
    got.push(asked)
    const url = asked.url ?? ''
    // Both kinds of answer have these methods; their overloads do not fit into one type.
    const response = answer as ServerResponse
    if (url === '/echo') asked.pipe(response)
    else if (url === '/length') {
      response.setHeader('content-length', 5)
      response.end(asked.method === 'HEAD' ? '' : 'hello')
    } else if (url === '/chunks') {
      response.write('one ')
      response.write('two ')
      response.end('three')
    } else if (url === '/empty') {
      response.statusCode = 204
      response.end()
    } else if (url === '/none') response.end()
    else if (url === '/big') {
      response.setHeader('content-length', BIG)
      response.end(Buffer.alloc(BIG, 'b'))
    } else if (url === '/hints') {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      response.end('after hints')
    } else if (url === '/fields') {
      response.setHeader('set-cookie', ['a=1', 'b=2, c'])
      response.setHeader('x-two', ['1', '2'])
      response.end(JSON.stringify(asked.headers))
    } else if (url === '/trailers') {
      response.setHeader('trailer', 'x-sum')
      response.write('body')
      response.addTrailers({ 'x-sum': '42' })
      response.end()
    } else if (url === '/cut') {
      response.write('half')
      setImmediate(() =>
        asked instanceof Object && 'stream' in asked ? asked.stream.close(0) : asked.socket.destroy(),
      )
    } else {
      response.statusCode = 404
      response.end()
    }
  }
}

interface Asked {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: readonly Buffer[]
}

type Ask = (path: string, asked?: Asked) => Promise<Reply>

function askByHttp1(port: number): Ask {
  return async (path, { method = 'GET', headers = {}, body } = {}) =>
    new Promise(resolve => {
      const interim: number[] = []
      const asked = request({ port, path, method, headers: { host: 'app.localhost', ...headers }, agent: false })
      asked.on('information', ({ statusCode }) => interim.push(statusCode))
      // Reset before the answer's head was read.
      asked.on('error', () => resolve({ status: 0, headers: {}, body: '', trailers: {}, interim, code: 1 }))
      asked.on('response', (answer: IncomingMessage & { headers: IncomingHttpHeaders }) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', () => {})
        answer.on('close', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(chunks).toString('latin1'),
            trailers: answer.trailers,
            interim,
            code: answer.complete ? 0 : 1,
          }),
        )
      })
      for (const chunk of body ?? []) asked.write(chunk)
      asked.end()
    })
}

function askByHttp2(session: ClientHttp2Session): Ask {
  return async (path, { method = 'GET', headers = {}, body } = {}) =>
    fetchOn(
      session,
      { ':path': path, ':method': method, ...headers },
      body === undefined
        ? undefined
        : stream => {
            for (const chunk of body) stream.write(chunk)
            stream.end()
          },
    )
}

async function startHttp1Origin(t: Test, got: Request[]): Promise<{ port: number }> {
  const server = createServer(app(got))
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port }
}

for (const front of ['h1', 'h2'] as const) {
  for (const backend of ['h1', 'h2c'] as const) {
    void t.test(`${front} clients of ${backend} instances`, async t => {
      const got: Request[] = []
      const origin =
        backend === 'h1'
          ? await startHttp1Origin(t, got)
          : await startHttp2Origin(t, server => server.on('request', app(got)))
      const pools = [backend === 'h1' ? pool([target(origin)]) : h2Pool([target(origin)])]
      const { plane, port, rows } = await startPlane(t, table(pools, { listeners: [h2Listener()] }))
      const ask = front === 'h1' ? askByHttp1(port) : askByHttp2(h2Client(t, port))

      const plain = await ask('/length')
      t.equal(plain.status, 200)
      t.equal(plain.body, 'hello')
      t.equal(plain.headers['content-length'], '5')
      t.ok(plain.headers['date'])

      const head = await ask('/length', { method: 'HEAD' })
      t.equal(head.status, 200)
      t.equal(head.body, '')
      t.equal(head.headers['content-length'], '5')

      t.equal((await ask('/chunks')).body, 'one two three')
      t.equal((await ask('/empty')).status, 204)
      const none = await ask('/none')
      t.equal(none.body, '')
      t.equal(none.code, 0)
      t.equal((await ask('/big')).body.length, BIG)

      const hints = await ask('/hints')
      t.same(hints.interim, [103])
      t.equal(hints.body, 'after hints')

      const hop: Record<string, string> = front === 'h1' ? { connection: 'x-gone', 'x-gone': 'y' } : {}
      const fields = await ask('/fields', { headers: { 'x-forwarded-for': '6.6.6.6', ...hop } })
      t.same(fields.headers['set-cookie'], ['a=1', 'b=2, c'])
      t.equal(fields.headers['x-two'], '1, 2')
      const seen = JSON.parse(fields.body) as Record<string, string>
      t.equal(seen['via'], front === 'h1' ? '1.1 vipswap' : '2.0 vipswap')
      t.equal(seen['x-forwarded-for'], '127.0.0.1')
      t.equal(seen['x-forwarded-proto'], 'http')
      t.match(seen['x-request-id'], /^[0-9a-f]{32}$/)
      t.equal(backend === 'h1' ? seen['host'] : seen[':authority'], 'app.localhost')
      t.notOk('x-gone' in seen)

      const trailers = await ask('/trailers')
      t.equal(trailers.body, 'body')
      t.equal(trailers.trailers['x-sum'], '42')

      const cut = await ask('/cut')
      t.not(cut.code, 0, 'a truncated answer does not look whole')

      const small = Buffer.from('posted')
      const length = await ask('/echo', { method: 'POST', headers: { 'content-length': '6' }, body: [small] })
      t.equal(length.body, 'posted')
      t.equal(got.at(-1)?.headers['content-length'], '6')
      t.equal((await ask('/echo', { method: 'POST', body: [small, small] })).body, 'postedposted')
      const chunk = Buffer.alloc(BIG / 16)
      for (let at = 0; at < chunk.length; at++) chunk[at] = at % 251
      const echoed = await ask('/echo', { method: 'PUT', body: Array.from({ length: 16 }, () => chunk) })
      t.equal(echoed.body.length, BIG)
      t.equal(echoed.body.slice(-chunk.length), chunk.toString('latin1'))

      await until('nothing is open', () => open(plane) === 0)
      const { arrived, answered, clientGone, broken } = rows()
      t.equal(arrived, 13)
      t.equal(answered, 12)
      t.equal(clientGone, 0)
      t.same(broken, { 'upstream-closed': 1 })
      await until('nothing is in flight', () => Object.keys(plane.status().inFlight).length === 0)
    })
  }
}
