import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { until } from '../support/until.ts'
import { installInto } from './support/install.ts'
import { smallPackage, startSystem, type System } from './support/system.ts'

/** An instance that says what it was asked, redirects in several ways, and knows what was broken off. */
const SERVER = `
const http = require('node:http')
const { WebSocketServer } = require('ws')
let aborted = 0
const server = http.createServer((request, response) => {
  response.setHeader('x-instance', process.env.ROLE_INSTANCE_ID)
  const own = 'http://' + request.headers.host
  switch (new URL(request.url, own).pathname) {
    case '/absolute': return response.writeHead(302, { location: own + '/there?a=1#b' }).end()
    case '/rooted': return response.writeHead(301, { location: '/there' }).end()
    case '/deep/relative': return response.writeHead(307, { location: '../there' }).end()
    case '/elsewhere': return response.writeHead(302, { location: 'https://example.org/there' }).end()
    case '/cookies':
      return response.writeHead(200, { 'set-cookie': ['a=1; Path=/; HttpOnly', 'b=2; Domain=example.org; Path=/x', 'c=3'] }).end()
    case '/slow':
      request.on('error', () => {})
      response.on('close', () => { if (!response.writableEnded) aborted += 1 })
      response.writeHead(200).write('begun')
      return
    case '/aborted': return response.end(String(aborted))
    case '/sized': return response.writeHead(200, { 'content-length': 12345 }).end(request.method === 'HEAD' ? undefined : 'x'.repeat(12345))
  }
  const hash = require('node:crypto').createHash('sha256')
  let bytes = 0
  request.on('data', piece => { bytes += piece.length; hash.update(piece) })
  request.on('end', () => {
    const { method, url, headers } = request
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ method, url, headers, bytes, sha256: hash.digest('hex') }))
  })
})
const sockets = new WebSocketServer({ server })
sockets.on('connection', (socket, request) => {
  socket.on('message', (data, isBinary) => socket.send(isBinary ? data : request.url + ' ' + data, { binary: isBinary }))
})
server.listen(process.env.PORT, process.env.HOST)
process.on('SIGTERM', () => process.exit(0))
`

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
  readonly bytes: number
}

async function deployed(t: Test): Promise<{ system: System; road: (id: string) => string }> {
  const system = await startSystem(t)
  const folder = smallPackage(t, { name: 'mirror', version: '1.0.0', instances: 2, server: SERVER })
  installInto(folder, 'ws')
  const { code, stderr } = await system.cli('deploy', folder)
  t.equal(code, 0, stderr)
  const road = (id: string): string => `${system.admin}/v1/services/mirror/slots/production/instances/${id}/proxy`
  return { system, road }
}

t.test('the road to one instance', async t => {
  const { system, road } = await deployed(t)
  const prefix = new URL(road('web_IN_0')).pathname

  await t.test('leads to that one, with its path, query and body, and says how it was reached', async t => {
    for (const id of ['web_IN_0', 'web_IN_1']) {
      const answer = await fetch(`${road(id)}/a/b?c=d%20e`, {
        headers: { 'x-request-id': `ask-${id}`, te: 'trailers' },
      })
      t.equal(answer.headers.get('x-instance'), id)
      t.equal(answer.headers.get('x-request-id'), `ask-${id}`)
      t.match(answer.headers.get('content-security-policy'), /^sandbox /)
      t.match((await answer.json()) as Seen, {
        method: 'GET',
        url: '/a/b?c=d%20e',
        headers: {
          'x-forwarded-prefix': new URL(road(id)).pathname,
          'x-forwarded-host': new URL(system.admin).host,
          'x-request-id': `ask-${id}`,
        },
      })
    }
    t.match((await (await fetch(road('web_IN_0'))).json()) as Seen, { url: '/' }, 'also without a path')
  })

  await t.test('takes bodies of a known and of an unknown length, and every method', async t => {
    const large = Buffer.alloc(3_000_000, 'a')
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const sized = await fetch(`${road('web_IN_0')}/x`, { method, body: large })
      t.match((await sized.json()) as Seen, { method, bytes: large.length, headers: { 'content-length': '3000000' } })
    }
    const pieces = new ReadableStream({
      start(controller) {
        for (let piece = 0; piece < 50; piece++) controller.enqueue(large.subarray(0, 1000 + piece))
        controller.close()
      },
    })
    const chunked = await fetch(`${road('web_IN_0')}/x`, { method: 'POST', body: pieces, duplex: 'half' })
    t.match((await chunked.json()) as Seen, { method: 'POST', bytes: 50 * 1000 + (49 * 50) / 2 })
    t.match((await (await fetch(`${road('web_IN_0')}/x`, { method: 'OPTIONS' })).json()) as Seen, { method: 'OPTIONS' })
  })

  await t.test('answers HEAD without a body and with the length', async t => {
    const answer = await fetch(`${road('web_IN_0')}/sized`, { method: 'HEAD' })
    t.match([answer.status, answer.headers.get('content-length')], [200, '12345'])
    t.equal(await answer.text(), '')
    t.equal((await (await fetch(`${road('web_IN_0')}/sized`)).text()).length, 12_345, 'the connection is still good')
  })

  await t.test('keeps redirects and cookies on itself', async t => {
    const place = async (path: string): Promise<string | null> =>
      (await fetch(road('web_IN_0') + path, { redirect: 'manual' })).headers.get('location')
    t.equal(await place('/absolute'), `${prefix}/there?a=1#b`)
    t.equal(await place('/rooted'), `${prefix}/there`)
    t.equal(await place('/deep/relative'), `${prefix}/there`)
    t.equal(await place('/elsewhere'), 'https://example.org/there', 'what leads elsewhere stays')
    const followed = await fetch(`${road('web_IN_1')}/absolute`)
    t.match((await followed.json()) as Seen, { url: '/there?a=1' })
    t.equal(followed.headers.get('x-instance'), 'web_IN_1')
    t.strictSame((await fetch(`${road('web_IN_0')}/cookies`)).headers.getSetCookie(), [
      `a=1; Path=${prefix}/; HttpOnly`,
      `b=2; Path=${prefix}/x`,
      `c=3; Path=${prefix}/`,
    ])
  })

  await t.test('breaks off at the instance what the caller breaks off', async () => {
    const call = request(`${road('web_IN_0')}/slow`)
    call.on('error', () => {})
    call.end()
    const [answer] = (await once(call, 'response')) as [IncomingMessage]
    await once(answer, 'data')
    answer.destroy()
    await until(
      'the instance has noticed',
      async () => (await (await fetch(`${road('web_IN_0')}/aborted`)).text()) === '1',
    )
  })

  await t.test('carries a WebSocket, text and binary', async t => {
    const socket = new WebSocket(`${road('web_IN_1').replace('http', 'ws')}/chat?room=1`)
    t.teardown(() => socket.terminate())
    await once(socket, 'open')
    socket.send('hello')
    t.equal(String((await once(socket, 'message'))[0]), '/chat?room=1 hello')
    socket.send(Buffer.alloc(200_000, 7))
    t.equal(((await once(socket, 'message')) as [Buffer])[0].length, 200_000)
    const closed = once(socket, 'close')
    socket.close(1000)
    t.equal((await closed)[0], 1000)
  })

  await t.test('leads to an instance that is out of rotation, which gets nothing else', async t => {
    const { code, stderr } = await system.cli('drain', 'web_IN_0')
    t.equal(code, 0, stderr)
    const vip = await system.url('mirror', 'production')
    for (let asked = 0; asked < 20; asked++) t.equal((await fetch(vip)).headers.get('x-instance'), 'web_IN_1')
    t.equal((await fetch(`${road('web_IN_0')}/`)).headers.get('x-instance'), 'web_IN_0')
  })

  await t.test('says what is not there', async t => {
    const code = async (url: string): Promise<unknown> => ((await (await fetch(url)).json()) as { code: string }).code
    t.equal(await code(`${road('web_IN_9')}/`), 'instance_not_found')
    t.equal(await code(`${road('web_IN_0').replace('production', 'staging')}/`), 'deployment_not_found')
    const missing = await fetch(`${road('web_IN_0')}/`, { headers: { 'x-vipswap-endpoint': 'admin' } })
    t.match([missing.status, await missing.json()], [503, { code: 'unreachable' }])
  })
})
