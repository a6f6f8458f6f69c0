import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { WebSocket, WebSocketServer } from 'ws'
import type { OpenedInstance } from '../../../src/contracts/api/open.ts'
import { startAdmin } from '../../../src/admin/server.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { FakeController } from './fake-controller.ts'

// The road to one instance as a browser walks it, and who may not.

const INSTANCES = '/v1/services/guestbook/slots/production/instances'
/** The admin by a name that is not of the loopback. */
const REMOTE = 'ops.example'
const HOUR_MS = 60 * 60 * 1000

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

async function serve(t: Test, options: { token?: string; tokenFile?: string; audit?: string } = {}) {
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const role = createServer(({ method = '', url = '', headers }, response) => {
    response.writeHead(200, {
      'content-type': 'application/json',
      'set-cookie': 'session=1; Path=/',
      'clear-site-data': '"*"',
      'strict-transport-security': 'max-age=1',
      'cross-origin-resource-policy': 'same-origin',
      'access-control-allow-origin': 'http://evil.example',
      'content-security-policy': "default-src 'self'",
      'x-own': 'yes',
      vary: 'accept',
    })
    response.end(JSON.stringify({ method, url, headers } satisfies Seen))
  })
  new WebSocketServer({ server: role }).on('connection', (socket, { url, headers }) => {
    socket.send(JSON.stringify({ method: 'GET', url: url ?? '', headers } satisfies Seen))
  })
  await once(role.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    role.closeAllConnections()
    role.close()
  })
  const { port } = role.address() as AddressInfo
  for (const place of ['production/web_IN_0', 'production/web_IN_1', 'staging/web_IN_0'])
    api.addresses.set(`guestbook/${place}/http`, { host: '127.0.0.1', port })
  const { audit, ...access } = options
  const admin = await startAdmin({
    api,
    port: 0,
    log: silentLogger(),
    hostNames: [REMOTE],
    ...access,
    ...(audit === undefined ? {} : { audit: { path: audit, maxBytes: 1024 ** 2, keep: 2 } }),
  })
  t.teardown(() => admin.close())
  const ask = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const answer = await request(admin.url + path, { method: method as 'GET', headers })
    const text = await answer.body.text()
    return {
      status: answer.statusCode,
      headers: answer.headers,
      json: text === '' ? null : (JSON.parse(text) as unknown),
    }
  }
  const open = async (instance = 'web_IN_0', headers: Record<string, string> = {}): Promise<string> => {
    const { json } = await ask(`${INSTANCES}/${instance}/open`, { ...headers, host: REMOTE }, 'POST')
    return (json as OpenedInstance).url
  }
  return { api, admin, ask, open, own: `127.0.0.1:${port}` }
}

/** As Chromium asks from a page in the sandbox. */
const SANDBOXED = { origin: 'null', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }
const TYPED = { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

t.test('a navigation is led below a key, and nothing else is', async t => {
  const { ask } = await serve(t)
  for (const [path, rest] of [
    ['/proxy', '/'],
    ['/proxy/a/b?c=d', '/a/b?c=d'],
  ] as const) {
    const { status, headers } = await ask(`${INSTANCES}/web_IN_0${path}`, { ...TYPED, host: REMOTE })
    t.equal(status, 307)
    t.match(headers['location'], new RegExp(`^${INSTANCES}/web_IN_0/proxy/~[a-z2-7]{26}${rest.replace('?', '\\?')}$`))
    t.match((await ask(String(headers['location']), TYPED)).json, { url: rest })
  }
  const plain = await ask(`${INSTANCES}/web_IN_0/proxy/`, { accept: 'text/html,*/*' })
  t.equal(plain.status, 307, 'where a browser does not say how it asks')
  for (const [method, headers] of [
    ['GET', {}],
    ['GET', { accept: 'text/html', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' }],
    ['POST', TYPED],
  ] as const) {
    const { status } = await ask(`${INSTANCES}/web_IN_0/proxy/`, headers, method)
    t.equal(status, 200, JSON.stringify([method, headers]))
  }
  t.equal((await ask(`${INSTANCES}/web_IN_9/proxy/`, TYPED)).status, 404)
  t.match(await ask(`${INSTANCES}/web_IN_0/proxy/`, { ...TYPED, 'sec-fetch-site': 'cross-site' }), {
    status: 403,
    headers: { location: undefined },
  })
})

t.test('below its key an instance is asked from the sandbox, as by a page of its own', async t => {
  const { ask, open, own } = await serve(t, { token: 'ann secret-ann' })
  const way = await open('web_IN_0', { authorization: 'Bearer secret-ann' })
  const { status, headers, json } = await ask(`${way}x?y=z`, {
    ...SANDBOXED,
    cookie: 'of=another-port',
    authorization: 'Bearer of-the-page',
  })
  t.equal(status, 200)
  t.match(json, {
    url: '/x?y=z',
    headers: {
      origin: `http://${own}`,
      host: own,
      'sec-fetch-site': 'same-origin',
      'x-forwarded-prefix': way.slice(0, -1),
    },
  })
  t.strictSame([(json as Seen).headers.cookie, (json as Seen).headers.authorization], [undefined, undefined])
  t.match(headers, {
    'access-control-allow-origin': 'null',
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': /x-own/,
    'content-security-policy': /^sandbox /,
    'referrer-policy': 'no-referrer',
    vary: 'accept, origin',
    'x-own': 'yes',
  })
  t.notMatch(headers['content-security-policy'], /allow-same-origin|allow-top-navigation|escape/)
  for (const name of ['set-cookie', 'clear-site-data', 'strict-transport-security', 'cross-origin-resource-policy'])
    t.equal(headers[name], undefined, name)

  const preflight = await ask(
    `${way}x`,
    { origin: 'null', 'access-control-request-method': 'PUT', 'access-control-request-headers': 'content-type' },
    'OPTIONS',
  )
  t.match(preflight, {
    status: 204,
    headers: {
      'access-control-allow-origin': 'null',
      'access-control-allow-methods': 'PUT',
      'access-control-allow-headers': 'content-type',
    },
  })
  t.match((await ask(`${way}x`, {}, 'OPTIONS')).json, { method: 'OPTIONS' }, 'any other is the instance’s')
  t.equal((await ask(way, TYPED)).headers['access-control-allow-origin'], undefined, 'who is no sandbox')
})

t.test('a WebSocket goes that way, too', async t => {
  const { admin, open, own } = await serve(t, { token: 'ann secret-ann' })
  const way = await open('web_IN_0', { authorization: 'Bearer secret-ann' })
  const dial = (path: string, origin: string) =>
    new WebSocket(admin.url.replace('http', 'ws') + path, { headers: { origin, cookie: 'a=1' } })
  const socket = dial(`${way}chat`, 'null')
  t.teardown(() => socket.terminate())
  const [text] = (await once(socket, 'message')) as [Buffer]
  const seen = JSON.parse(text.toString()) as Seen
  t.match(seen, { url: '/chat', headers: { origin: `http://${own}` } })
  t.equal(seen.headers.cookie, undefined)
  for (const [path, origin, code] of [
    [`${way}chat`, 'http://evil.example', 403],
    [`${way.replace('web_IN_0', 'web_IN_1')}chat`, 'null', 403],
    [`${INSTANCES}/web_IN_0/proxy/~${'a'.repeat(26)}/chat`, 'null', 403],
    [`${INSTANCES}/web_IN_0/proxy/chat`, 'null', 403],
  ] as const) {
    const [error] = (await once(dial(path, origin), 'error')) as [Error]
    t.match(error.message, String(code), path)
  }
})

t.test('a caller that resets its WebSocket harms nobody else', async t => {
  const { admin, ask, open } = await serve(t)
  const way = await open()
  for (const path of [`${INSTANCES}/web_IN_0/proxy/chat`, `${way}chat`]) {
    const socket = connect(admin.port, '127.0.0.1')
    socket.write(
      [
        `GET ${path} HTTP/1.1`,
        `host: 127.0.0.1:${admin.port}`,
        'connection: upgrade',
        'upgrade: websocket',
        'sec-websocket-version: 13',
        'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
        '\r\n',
      ].join('\r\n'),
    )
    const [answer] = (await once(socket, 'data')) as [Buffer]
    t.match(answer.toString(), /^HTTP\/1\.1 101 /)
    socket.resetAndDestroy()
    await once(socket, 'close')
    t.equal((await ask(`${way}x`)).status, 200)
  }
})

t.test('a key opens one instance of one deployment, and nothing of the API', async t => {
  const { api, admin, ask, open } = await serve(t, { token: 'ann secret-ann' })
  const way = await open('web_IN_0', { authorization: 'Bearer secret-ann' })
  const key = /~[a-z2-7]+/.exec(way)?.[0] ?? ''
  const refused: [string, Record<string, string>][] = [
    [`${INSTANCES}/web_IN_1/proxy/${key}/`, {}],
    [`${INSTANCES.replace('production', 'staging')}/web_IN_0/proxy/${key}/`, {}],
    [`${INSTANCES.replace('guestbook', 'other')}/web_IN_0/proxy/${key}/`, {}],
    [`${INSTANCES}/web_IN_0/proxy/~${'a'.repeat(26)}/`, {}],
    [way, { host: 'evil.example' }],
    [way, { origin: 'http://evil.example' }],
    [way, { origin: 'http://127.0.0.1:1' }],
  ]
  for (const [path, headers] of refused)
    t.equal((await ask(path, headers)).status, 403, JSON.stringify([path, headers]))
  for (const path of [
    `${INSTANCES}/web_IN_0/proxy/${key}x/`,
    `${INSTANCES}/web_IN_0/proxy/${key.toUpperCase()}/`,
    `${INSTANCES}/web_IN_0/proxy//${key}/`,
    `${INSTANCES}/web_IN_0/proxy/x/${key}/`,
    `${INSTANCES}/web_IN_0/logs/${key}/`,
    `${INSTANCES}/web_IN_0/${key}/proxy/`,
    '/v1/services',
  ])
    t.ok([401, 404].includes((await ask(path)).status), path)
  for (const path of [`${way}../../logs`, `${way}..%2f..%2flogs`, `${way}%2e%2e/%2e%2e/logs`]) {
    // Other clients tidy a path up before they send it.
    const [answer] = (await once(get({ port: admin.port, path }), 'response')) as [IncomingMessage]
    const seen = JSON.parse(Buffer.concat(await answer.toArray()).toString()) as Seen
    t.equal(seen.url, path.slice(way.length - 1), 'what looks like a way out is the instance’s')
  }
  t.equal((await ask(way, { authorization: `Bearer ${key.slice(1)}` })).status, 200)
  t.equal((await ask('/v1/services', { authorization: `Bearer ${key.slice(1)}` })).status, 401, 'a key is no token')
  t.equal((await ask('/v1/services/guestbook/swap', { ...SANDBOXED }, 'POST')).status, 403)
  t.strictSame(api.commands, [])

  t.equal((await ask(way)).status, 200)
  api.addService('guestbook', { staging: '1.0.0' })
  t.equal((await ask(way)).status, 403, 'the slot is empty')
})

t.test('on the loopback an instance gets an origin of its own', async t => {
  const { admin, api, ask, open } = await serve(t)
  const port = String(admin.port)
  for (const name of ['127.0.0.1', 'localhost', '[::1]']) {
    const { status, headers } = await ask(`${INSTANCES}/web_IN_0/proxy/a?b=c`, { ...TYPED, host: `${name}:${port}` })
    t.equal(status, 307)
    t.match(headers['location'], new RegExp(`^http://[a-z2-7]{26}\\.localhost:${port}/a\\?b=c$`), name)
  }
  for (const field of ['x-forwarded-for', 'forwarded', 'via']) {
    const { headers } = await ask(`${INSTANCES}/web_IN_0/proxy/`, { ...TYPED, [field]: 'x' })
    t.match(headers['location'], /^\/v1\//, `behind a proxy that says ${field} the browser is elsewhere`)
  }

  const key = /~([a-z2-7]+)/.exec(await open())?.[1] ?? ''
  const host = `${key}.localhost:${port}`
  const origin = `http://${host}`
  const { headers, json } = await ask('/v1/services?a=b', { host, origin, cookie: 'a=1', authorization: 'Bearer page' })
  t.match(json, { url: '/v1/services?a=b', headers: { host, origin, cookie: 'a=1', authorization: 'Bearer page' } })
  t.equal((json as Seen).headers['x-forwarded-prefix'], undefined)
  t.match(headers, {
    'set-cookie': 'session=1; Path=/',
    'content-security-policy': "default-src 'self'",
    'referrer-policy': 'same-origin',
    'access-control-allow-origin': 'http://evil.example',
  })
  for (const path of ['/', '/metrics', '/v1/services/guestbook/swap', '/portal/x.js', '/nowhere'])
    t.match((await ask(path, { host })).json, { url: path }, `${path} is the instance’s there`)
  t.match((await ask('/x', { host, 'sec-fetch-site': 'same-origin' }, 'DELETE')).json, { method: 'DELETE' })
  t.match((await ask('/x', { host, ...TYPED, 'sec-fetch-site': 'cross-site' })).status, 200, 'a page is led there')

  for (const fields of [
    { host: `${'a'.repeat(26)}.localhost:${port}` },
    { host: `${key}.localhost.evil.example` },
    { host: `x.${key}.localhost` },
    { host: `${key}x.localhost` },
    { host, origin: 'http://evil.example' },
    { host, origin: 'null' },
    { host, origin: admin.url },
    { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    { host: `127.0.0.1:${port}`, origin },
  ])
    t.equal((await ask('/v1/services/guestbook/swap', fields, 'POST')).status, 403, JSON.stringify(fields))
  t.strictSame(api.commands, [])

  const socket = new WebSocket(`${admin.url.replace('http', 'ws')}/chat`, { headers: { host, origin, cookie: 'a=1' } })
  t.teardown(() => socket.terminate())
  const [text] = (await once(socket, 'message')) as [Buffer]
  t.match(JSON.parse(text.toString()), { url: '/chat', headers: { host, origin, cookie: 'a=1' } })
  for (const fields of [
    { host, origin: admin.url },
    { host: `${'a'.repeat(26)}.localhost`, origin },
  ]) {
    const refused = new WebSocket(`${admin.url.replace('http', 'ws')}/chat`, { headers: fields })
    t.match(((await once(refused, 'error')) as [Error])[0].message, '403')
  }
})

t.test('a key ends after an hour, and with the token of who made it', async t => {
  const { ask, open } = await serve(t)
  const way = await open()
  const now = Date.now.bind(Date)
  t.teardown(() => (Date.now = now))
  Date.now = () => now() + HOUR_MS - 60_000
  t.equal((await ask(way)).status, 200)
  Date.now = () => now() + HOUR_MS
  t.match(await ask(way), { status: 403, json: { detail: /good for an hour/ } })
  Date.now = now

  const first = await open()
  for (let made = 0; made < 1000; made++) await open('web_IN_1')
  t.equal((await ask(first)).status, 403, 'only so many are kept')
})

t.test('opening takes an operator, is recorded, and the record does not have the key', async t => {
  const folder = tempDir(t)
  const audit = join(folder, 'audit.log')
  const tokenFile = join(folder, 'tokens')
  writeFileSync(tokenFile, 'ann:operator secret-ann\nvic:viewer secret-vic\n', { mode: 0o600 })
  const { admin, ask, open } = await serve(t, { tokenFile, audit })
  const vic = await ask(`${INSTANCES}/web_IN_0/open`, { authorization: 'Bearer secret-vic' }, 'POST')
  t.match([vic.status, vic.json], [403, { code: 'forbidden' }])
  t.equal((await ask(`${INSTANCES}/web_IN_0/open`, {}, 'POST')).status, 401)
  t.equal((await ask(`${INSTANCES}/web_IN_0/open`, { ...SANDBOXED }, 'POST')).status, 403)
  const way = await open('web_IN_0', { authorization: 'Bearer secret-ann' })
  t.equal((await ask(`${way}write`, SANDBOXED, 'POST')).status, 200)
  const socket = new WebSocket(`${admin.url.replace('http', 'ws')}${way}chat`)
  await once(socket, 'message')
  const cut = once(socket, 'close')

  writeFileSync(tokenFile, 'vic:viewer secret-vic\n', { mode: 0o600 })
  await until('her key is gone with her token', async () => (await ask(way)).status === 403)
  await cut
  const text = readFileSync(audit, 'utf8')
  t.notMatch(text, /~[a-z2-7]{26}/)
  const records = text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
  t.match(
    records.filter(({ by, outcome }) => by === 'ann' && outcome === 'done'),
    [
      { call: 'openInstance', target: { instance: 'web_IN_0' } },
      { call: 'askInstance', method: 'POST', path: `${INSTANCES}/web_IN_0/proxy/~…/write` },
      { call: 'askInstance', method: 'GET', path: `${INSTANCES}/web_IN_0/proxy/~…/chat` },
    ],
  )
})
