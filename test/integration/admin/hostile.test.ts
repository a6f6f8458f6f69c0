import { createServer, get, METHODS, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { startAdmin } from '../../../src/admin/server.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { FakeController } from './fake-controller.ts'
import { FakeMembers } from './fake-members.ts'
import { attack } from './hostile/attack.ts'
import { besiege } from './hostile/besiege.ts'

async function serve(t: Test, token?: string) {
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const instance = createServer((asked, response) => {
    asked.resume()
    response.end('instance')
  })
  await new Promise<void>(resolve => {
    instance.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => instance.close())
  const { port } = instance.address() as AddressInfo
  api.addresses.set('guestbook/production/web_IN_0/http', { host: '127.0.0.1', port })
  const admin = await startAdmin({
    api,
    members: new FakeMembers(),
    port: 0,
    log: silentLogger(),
    ...(token === undefined ? {} : { token }),
  })
  t.teardown(() => admin.close())
  return { api, admin }
}

const PROTOTYPE = Object.getOwnPropertyNames(Object.prototype).toSorted()

t.test('nothing that is sent without a token crashes, hangs, fails or changes anything', async t => {
  const { api, admin } = await serve(t, 'secret-admin')
  const before = JSON.stringify(api.services())
  const { statuses, faults } = await attack({ port: admin.port, seed: 1, count: 200, token: null })
  t.strictSame(faults, [])
  t.strictSame([api.commands, api.reports, api.uploads, api.marked, api.planned], [[], [], [], [], []])
  t.equal(JSON.stringify(api.services()), before)
  t.ok((statuses.get('401') ?? 0) > 50, JSON.stringify([...statuses]))
  t.strictSame(Object.getOwnPropertyNames(Object.prototype).toSorted(), PROTOTYPE)
})

t.test('nor with one, but for what is a good request after all', async t => {
  const { api, admin } = await serve(t, 'secret-admin')
  const { statuses, accepted, faults } = await attack({ port: admin.port, seed: 2, count: 300, token: 'secret-admin' })
  t.strictSame(faults, [])
  // Fewer than answers: a key that was used before makes no second operation. And a reset connection may lose an answer.
  const unseen = statuses.get('closed') ?? 0
  const made = api.operations({}).length
  t.ok(made <= accepted + unseen, `${made} operations, ${accepted} answers, ${unseen} lost`)
  t.ok((statuses.get('400') ?? 0) > 50, JSON.stringify([...statuses]))
  t.strictSame(Object.getOwnPropertyNames(Object.prototype).toSorted(), PROTOTYPE)
  t.equal(({} as { polluted?: unknown }).polluted, undefined)
  t.equal((await fetch(`${admin.url}/healthz`)).status, 200)
})

for (const by of ['viewer', 'operator', 'admin'] as const) {
  t.test(
    `what the controller refuses to the role ${by} has changed nothing, and the next one reads what there is`,
    async t => {
      const { statuses, changes, judged, faults } = await besiege({ folder: tempDir(t), by, seed: 7, count: 80 })
      t.strictSame(faults, [])
      t.ok(judged > 40, `only ${judged} were judged`)
      t.equal(changes > 0, by !== 'viewer', `${changes} changes`)
      t.ok((statuses.get(by === 'viewer' ? '403' : '400') ?? 0) > 10, JSON.stringify([...statuses]))
    },
  )
}

t.test('a CONNECT is refused like any other call that there is not', async t => {
  const { admin } = await serve(t)
  const socket = connect(admin.port, '127.0.0.1')
  socket.write('CONNECT /v1/services HTTP/1.1\r\nhost: localhost\r\n\r\n')
  let text = ''
  socket.on('data', piece => (text += piece.toString()))
  await once(socket, 'close')
  t.match(text, /^HTTP\/1\.1 404 not_found\r\ncontent-type: application\/problem\+json/)
})

t.test('a page of another origin, or under another name, gives no order', async t => {
  const { api, admin } = await serve(t)
  const own = `127.0.0.1:${admin.port}`
  const good = { host: own }
  const fields: Record<string, string>[] = [
    { host: 'evil.example' },
    { host: '127.0.0.1.evil.example' },
    { host: 'localhost.evil.example:9090' },
    { ...good, origin: 'http://evil.example' },
    { ...good, origin: 'null' },
    { ...good, origin: `http://localhost:${admin.port}` },
    { ...good, origin: `http://127.0.0.1:${admin.port + 1}` },
    { ...good, origin: `http://${own}.evil.example` },
    { ...good, 'sec-fetch-site': 'cross-site' },
    { ...good, 'sec-fetch-site': 'same-site' },
    { ...good, origin: `http://${own}`, 'sec-fetch-site': 'cross-site' },
  ]
  const types: (string | null)[] = [
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    null,
  ]
  const targets = [
    ['POST', '/v1/services/guestbook/swap'],
    ['DELETE', '/v1/services/guestbook'],
    ['PATCH', '/v1/services/guestbook/slots/production/upgrade'],
    ['POST', '/v1/gc'],
    ['POST', '/v1/join-tokens'],
    ['GET', '/v1/services/guestbook/slots/production/instances/web_IN_0/proxy/'],
  ] as const
  for (const headers of fields) {
    for (const type of types) {
      for (const [method, path] of targets) {
        const body = method === 'GET' || type === null ? null : '{}'
        const sent = { ...headers, ...(type === null || body === null ? {} : { 'content-type': type }) }
        const answer = await request(admin.url + path, { method, body, headers: sent })
        await answer.body.dump()
        if (answer.statusCode !== 403) t.fail(`${method} ${path} ${JSON.stringify(sent)}: ${answer.statusCode}`)
        if (answer.headers['access-control-allow-origin'] !== undefined) t.fail(`${path} lets other origins read`)
      }
    }
  }
  t.strictSame(api.commands, [])
  for (const type of types.slice(1, 4)) {
    const answer = await request(`${admin.url}/v1/services/guestbook/swap`, {
      method: 'POST',
      body: '{}',
      headers: { ...good, 'content-type': String(type) },
    })
    await answer.body.dump()
    t.equal(answer.statusCode, 415, `a form cannot be a command: ${type}`)
  }
  t.strictSame(api.commands, [])
})

t.test('the road to an instance takes every method that Node reads, and no other call does', async t => {
  const { api, admin } = await serve(t)
  const road = '/v1/services/guestbook/slots/production/instances/web_IN_0/proxy/x'
  for (const method of METHODS.filter(each => each !== 'CONNECT')) {
    const ask = async (path: string, headers: Record<string, string> = {}) => {
      // undici's list of methods is open at run time.
      const type = method === 'QUERY' ? { 'content-type': 'application/json' } : {}
      const answer = await request(admin.url + path, { method: method as 'GET', headers: { ...headers, ...type } })
      return { status: answer.statusCode, text: await answer.body.text() }
    }
    t.match(await ask(road), { status: 200, text: method === 'HEAD' ? '' : 'instance' }, method)
    t.match(await ask(road, { origin: 'http://evil.example' }), { status: 403 }, method)
    if (!['GET', 'HEAD', 'OPTIONS', 'DELETE'].includes(method))
      t.match(await ask('/v1/services/guestbook'), { status: 404 }, method)
  }
  t.strictSame(api.commands, [])
})

t.test('a refused upgrade is gone soon, also where its caller sends on and never reads', async t => {
  const { admin } = await serve(t, 'secret-admin')
  const socket = connect({ port: admin.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.write('POST /v1/gc HTTP/1.1\r\nhost: localhost\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n')
  socket.write('x'.repeat(100_000))
  await once(socket, 'connect')
  await until('it is answered', async () => socket.readableLength > 0)
  await admin.close()
  t.pass('closing the server does not wait for it')
})

t.test('event streams leave nothing behind when their readers go', async t => {
  const { api, admin } = await serve(t)
  const handles = (): number => process.getActiveResourcesInfo().filter(name => name.startsWith('TCPSocket')).length
  const before = handles()
  // Without a pool: one that loses a connection may make itself another.
  const readers = await Promise.all(
    Array.from({ length: 500 }, async () => {
      const request = get(`${admin.url}/v1/events`, { agent: false })
      const [answer] = (await once(request, 'response')) as [IncomingMessage]
      return answer.on('error', () => {}).resume()
    }),
  )
  t.equal(api.subscribers, 500)
  for (const reader of readers.slice(0, 400)) reader.destroy()
  await until('those who went are forgotten', async () => api.subscribers === 100)
  for (const reader of readers) reader.destroy()
  await until('all are forgotten', async () => api.subscribers === 0)
  await until('no socket is left', async () => handles() <= before + 2)
  t.ok(handles() <= before + 2)
})
