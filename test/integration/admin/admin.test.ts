import { Agent, request as rawHttp } from 'node:http'
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { buildAdmin, startAdmin, type AdminOptions } from '../../../src/admin/server.ts'
import { VipswapError } from '../../../src/core/errors.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { until } from '../../support/until.ts'
import { FakeController } from './fake-controller.ts'

const DIGEST = 'ab'.repeat(32)
const SLOT = '/v1/services/guestbook/slots/production'

function inProcess(t: Test, options: Partial<AdminOptions> = {}) {
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const { app, close } = buildAdmin({ api, port: 0, log: silentLogger(), ...options })
  t.teardown(close)
  const ask = async (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT',
    url: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) => {
    const answer = await app.inject({
      method,
      url,
      headers: { host: 'localhost', ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    })
    const json: Record<string, unknown> =
      answer.headers['content-type']?.toString().includes('json') === true ? answer.json() : {}
    return { status: answer.statusCode, headers: answer.headers, body: answer.body, json }
  }
  return { api, ask }
}

async function listening(t: Test, options: Partial<AdminOptions> = {}) {
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const admin = await startAdmin({ api, port: 0, log: silentLogger(), ...options })
  t.teardown(() => admin.close())
  return { api, admin }
}

t.test('reading', async t => {
  const { api, ask } = inProcess(t)
  await t.test('answers services, slots, nodes and itself', async t => {
    t.match((await ask('GET', '/v1/services')).json, { services: [{ name: 'guestbook' }] })
    t.match((await ask('GET', '/v1/services/guestbook')).json, {
      name: 'guestbook',
      vips: [{ port: 8080 }, { port: 8081 }],
    })
    t.match((await ask('GET', SLOT)).json, { id: 'dep-production', version: '1.0.0' })
    t.match((await ask('GET', '/v1/nodes')).json, { nodes: [{ name: 'node-0' }] })
    t.match(await ask('GET', '/healthz'), { status: 200, json: { ok: true } })
    t.match(await ask('GET', '/metrics'), {
      status: 200,
      body: 'vipswap_up 1\n',
      headers: { 'content-type': /^text\/plain/ },
    })
    t.match(await ask('GET', '/'), { status: 200, body: /vipswap/ })
  })
  await t.test('is ready only when the controller is', async t => {
    t.match(await ask('GET', '/readyz'), { status: 200, json: { ready: true } })
    api.isReady = { ready: false, reason: 'no proxy yet' }
    t.match(await ask('GET', '/readyz'), { status: 503, json: { ready: false, reason: 'no proxy yet' } })
  })
  await t.test('an unknown service is told with those there are', async t => {
    const { status, headers, json } = await ask('GET', '/v1/services/gestbook')
    t.equal(status, 404)
    t.match(headers['content-type'], /^application\/problem\+json/)
    t.match(json, {
      code: 'service_not_found',
      status: 404,
      title: 'Service not found',
      known: ['guestbook'],
      detail: /guestbook/,
    })
    t.match(await ask('POST', '/v1/services/gestbook/swap'), { status: 404, json: { code: 'service_not_found' } })
  })
  await t.test('an empty slot, a third slot, an unknown call and an unknown operation are problems', async t => {
    api.addService('empty', {})
    t.match(await ask('GET', '/v1/services/empty/slots/staging'), {
      status: 404,
      json: { code: 'deployment_not_found' },
    })
    t.match(await ask('GET', '/v1/services/empty/slots/test'), {
      status: 400,
      json: { code: 'invalid_request', detail: /slot must be "production" or "staging"/ },
    })
    t.match(await ask('GET', '/v1/nothing'), { status: 404, json: { code: 'not_found', detail: /GET \/v1\/nothing/ } })
    t.match(await ask('PUT', SLOT), { status: 404, json: { code: 'not_found' } })
    t.match(await ask('GET', '/v1/operations/op-9'), { status: 404, json: { code: 'operation_not_found' } })
  })
})

t.test('each mutating call becomes its command', async t => {
  const { api, ask } = inProcess(t)
  const where = { service: 'guestbook', slot: 'production' }
  const cases: [string, 'POST' | 'PATCH' | 'DELETE', string, object | undefined, object][] = [
    [
      'create',
      'POST',
      '/v1/services/new/slots/staging',
      { package: DIGEST, label: 'x' },
      { kind: 'create', service: 'new', slot: 'staging', package: DIGEST, label: 'x', replace: false },
    ],
    [
      'replace',
      'POST',
      SLOT,
      { package: DIGEST, replace: true, configuration: { roles: { web: { instances: 2 } } } },
      { kind: 'create', ...where, package: DIGEST, replace: true, configuration: { roles: { web: { instances: 2 } } } },
    ],
    ['delete', 'DELETE', SLOT, undefined, { kind: 'delete', ...where }],
    ['delete service', 'DELETE', '/v1/services/guestbook', undefined, { kind: 'deleteService', service: 'guestbook' }],
    [
      'plain swap without a body',
      'POST',
      '/v1/services/guestbook/swap',
      undefined,
      { kind: 'swap', service: 'guestbook' },
    ],
    [
      'swap in phases',
      'POST',
      '/v1/services/guestbook/swap',
      { phase: 'prepare', expect: { production: 'a', staging: null } },
      { kind: 'swap', service: 'guestbook', phase: 'prepare', expect: { production: 'a', staging: null } },
    ],
    [
      'upgrade',
      'POST',
      `${SLOT}/upgrade`,
      { package: DIGEST, mode: 'auto', force: true },
      {
        kind: 'upgrade',
        ...where,
        package: DIGEST,
        mode: 'auto',
        force: true,
        restartUnchanged: false,
        overlap: false,
      },
    ],
    [
      'change an upgrade',
      'PATCH',
      `${SLOT}/upgrade`,
      { mode: 'manual' },
      { kind: 'changeUpgrade', ...where, mode: 'manual' },
    ],
    ['walk', 'POST', `${SLOT}/walk`, { domain: 3 }, { kind: 'walk', ...where, domain: 3 }],
    ['walk the next', 'POST', `${SLOT}/walk`, undefined, { kind: 'walk', ...where }],
    ['rollback', 'POST', `${SLOT}/rollback`, { mode: 'manual' }, { kind: 'rollback', ...where, mode: 'manual' }],
    [
      'configure',
      'POST',
      `${SLOT}/configuration`,
      { configuration: { roles: {} }, mode: 'manual' },
      { kind: 'configure', ...where, configuration: { roles: {} }, mode: 'manual' },
    ],
    ['suspend', 'POST', `${SLOT}/status`, { status: 'Suspended' }, { kind: 'status', ...where, status: 'Suspended' }],
    [
      'reboot',
      'POST',
      `${SLOT}/instances/web_IN_1/reboot`,
      undefined,
      { kind: 'reboot', ...where, instance: 'web_IN_1' },
    ],
    [
      'reimage',
      'POST',
      `${SLOT}/instances/web_IN_0/reimage`,
      undefined,
      { kind: 'reimage', ...where, instance: 'web_IN_0' },
    ],
    ['drain', 'POST', `${SLOT}/instances/web_IN_0/drain`, undefined, { kind: 'drain', ...where, instance: 'web_IN_0' }],
    [
      'undrain',
      'POST',
      `${SLOT}/instances/web_IN_0/undrain`,
      undefined,
      { kind: 'undrain', ...where, instance: 'web_IN_0' },
    ],
    ['node drain', 'POST', '/v1/nodes/node-0/drain', undefined, { kind: 'drainNode', node: 'node-0' }],
    ['node undrain', 'POST', '/v1/nodes/node-0/undrain', undefined, { kind: 'undrainNode', node: 'node-0' }],
    ['force', 'POST', '/v1/operations/op-1/force', undefined, { kind: 'force', operation: 'op-1' }],
  ]
  for (const [name, method, url, body, command] of cases) {
    await t.test(name, async t => {
      const { status, headers, json } = await ask(method, url, body)
      t.equal(status, 202, JSON.stringify(json))
      t.equal(headers.location, `/v1/operations/${String(json['operationId'])}`)
      t.strictSame(api.commands.at(-1)?.command, command)
    })
  }
  await t.test('plans change nothing', async t => {
    const before = api.commands.length
    t.match(await ask('POST', `${SLOT}/plan`, {}), { status: 200, json: { outcome: 'changes' } })
    t.strictSame(api.planned.at(-1), { kind: 'swap', service: 'guestbook' })
    await ask('POST', `${SLOT}/plan`, { upgrade: { package: DIGEST } })
    t.match(api.planned.at(-1), { kind: 'upgrade', force: false })
    t.match(await ask('POST', `${SLOT}/plan`, { swap: {}, upgrade: { package: DIGEST } }), { status: 400 })
    t.equal(api.commands.length, before)
  })
})

t.test('what is wrong in a request is named, with what to write', async t => {
  const { api, ask } = inProcess(t)
  const cases: [string, string, unknown, RegExp][] = [
    ['a missing field', SLOT, {}, /body: package is missing \(A package, by the digest/],
    ['an empty body where one is needed', SLOT, undefined, /package is missing/],
    [
      'a misspelt field',
      `${SLOT}/upgrade`,
      { package: DIGEST, forse: true },
      /forse is not known here; did you mean force\?/,
    ],
    ['a wrong word', `${SLOT}/upgrade`, { package: DIGEST, mode: 'quick' }, /mode must be "monitored" or "auto" or/],
    ['a wrong type', `${SLOT}/walk`, { domain: 'first' }, /domain must be an integer/],
    ['a wrong form', SLOT, { package: 'guestbook' }, /package must match pattern/],
    [
      'something inside',
      SLOT,
      { package: DIGEST, configuration: { roles: { web: { instances: -1 } } } },
      /configuration\.roles\.web\.instances must be >= 0/,
    ],
    ['a bad wait', `${SLOT}/walk?wait=soon`, {}, /query: wait must match .*seconds/],
    [
      'a bad service name',
      '/v1/services/9lives/slots/production',
      { package: DIGEST },
      /"9lives" cannot name a service/,
    ],
    ['nothing to change', `${SLOT}/status`, { status: 'Paused' }, /status must be "Running" or "Suspended"/],
  ]
  for (const [name, url, body, detail] of cases) {
    await t.test(name, async t => {
      t.match(await ask('POST', url, body), { status: 400, json: { code: 'invalid_request', detail } })
    })
  }
  await t.test('text that is not JSON, other types, and bodies over the limit', async t => {
    const url = '/v1/services/guestbook/swap'
    t.match(await ask('POST', url, '{' as unknown, { 'content-type': 'application/json' }), {
      status: 400,
      json: { detail: /not JSON/ },
    })
    t.match(await ask('POST', url, 'a=b' as unknown, { 'content-type': 'application/x-www-form-urlencoded' }), {
      status: 415,
      json: { code: 'unsupported_media_type' },
    })
    t.match(await ask('POST', url, 'a' as unknown, { 'content-type': 'text/plain' }), { status: 415 })
    t.match(await ask('POST', url, { phase: 'x'.repeat(2 * 1024 * 1024) }), {
      status: 413,
      json: { code: 'request_too_large' },
    })
    t.match(await ask('POST', url, '' as unknown, { 'content-type': 'application/json' }), { status: 202 })
  })
  t.equal(api.commands.length, 1)
  await t.test('a refusal keeps its code, status and blockers; a defect is internal', async t => {
    const blockers = [{ code: 'not_ready', message: 'web_IN_0 is BusyRole' }]
    api.refusal = new VipswapError('endpoint_mismatch', 'the slots differ', { blockers })
    t.match(await ask('POST', '/v1/services/guestbook/swap'), {
      status: 409,
      json: {
        code: 'endpoint_mismatch',
        blockers,
        detail: 'the slots differ',
        type: 'urn:vipswap:error:endpoint_mismatch',
      },
    })
    api.metrics = () => Promise.reject(new Error('boom'))
    t.match(await ask('GET', '/metrics'), { status: 500, json: { code: 'internal', detail: /boom/ } })
  })
})

t.test('waiting and repeating', async t => {
  const { api, ask } = inProcess(t)
  await t.test('?wait answers the operation when it ends', async t => {
    const answer = ask('POST', '/v1/services/guestbook/swap?wait=20')
    await until('it is submitted', () => api.operation('op-1'))
    api.update('op-1', { status: 'Succeeded' })
    t.match(await answer, {
      status: 200,
      json: { id: 'op-1', status: 'Succeeded' },
      headers: { location: '/v1/operations/op-1' },
    })
  })
  await t.test('?wait answers it as it is when the time is up', async t => {
    t.match(await ask('POST', '/v1/services/guestbook/swap?wait=0.02'), {
      status: 200,
      json: { id: 'op-2', status: 'InProgress' },
    })
    t.match(await ask('GET', '/v1/operations/op-2?wait=0.02'), { status: 200, json: { status: 'InProgress' } })
  })
  await t.test('an idempotency key is passed on', async t => {
    const headers = { 'idempotency-key': 'k1' }
    const first = await ask('POST', '/v1/services/guestbook/swap', undefined, headers)
    const second = await ask('POST', '/v1/services/guestbook/swap', undefined, headers)
    t.equal(first.json['operationId'], second.json['operationId'])
    t.equal(api.commands.at(-1)?.idempotencyKey, 'k1')
    t.match(await ask('POST', '/v1/services/guestbook/swap', undefined, { 'idempotency-key': 'k'.repeat(300) }), {
      status: 400,
    })
  })
  await t.test('operations are listed newest first, and have a receipt when ended', async t => {
    t.match((await ask('GET', '/v1/operations?limit=1')).json, { operations: [{ id: 'op-3' }] })
    t.match((await ask('GET', '/v1/operations?status=Succeeded')).json, { operations: [{ id: 'op-1' }] })
    t.match(await ask('GET', '/v1/operations?status=Done'), { status: 400 })
    t.match(await ask('GET', '/v1/operations/op-1/receipt'), { status: 200, json: { switchMs: 4.2 } })
    t.match(await ask('GET', '/v1/operations/op-2/receipt'), { status: 404, json: { detail: /still running/ } })
    t.match(await ask('GET', '/v1/operations/op-99/receipt'), { status: 404, json: { code: 'operation_not_found' } })
  })
})

t.test('who may call', async t => {
  await t.test('only names of this controller are taken as Host', async t => {
    const { ask } = inProcess(t)
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1']) {
      t.match(await ask('GET', '/v1/services', undefined, { host }), { status: 403, json: { code: 'forbidden' } }, host)
    }
    for (const host of ['localhost:9090', '127.0.0.1:9090', '[::1]:9090', 'LOCALHOST']) {
      t.equal((await ask('GET', '/v1/services', undefined, { host })).status, 200, host)
    }
  })
  await t.test('pages of other origins change nothing', async t => {
    const { api, ask } = inProcess(t)
    for (const headers of [
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      t.match(await ask('POST', '/v1/services/guestbook/swap', undefined, headers), { status: 403 })
      t.match(await ask('GET', `${SLOT}/instances/web_IN_0/proxy/`, undefined, headers), { status: 403 })
    }
    t.equal(api.commands.length, 0)
    t.equal(
      (
        await ask('POST', '/v1/services/guestbook/swap', undefined, {
          origin: 'http://localhost',
          'sec-fetch-site': 'same-origin',
        })
      ).status,
      202,
    )
  })
  await t.test('an address open to others needs a token', async t => {
    const options = { api: new FakeController(), host: '0.0.0.0', port: 0, log: silentLogger() }
    await t.rejects(startAdmin(options), { code: 'usage', message: /--token-file/ })
    await t.rejects(startAdmin({ ...options, token: '' }), { code: 'usage' })
    const { ask } = inProcess(t, { host: '0.0.0.0', token: 's3cret' })
    t.match(await ask('GET', '/v1/services'), {
      status: 401,
      headers: { 'www-authenticate': /Bearer/ },
      json: { code: 'unauthorized' },
    })
    t.match(await ask('GET', '/v1/services', undefined, { authorization: 'Bearer wrong' }), { status: 401 })
    t.match(await ask('GET', '/v1/services', undefined, { authorization: 'Bearer s3cret', host: '10.1.2.3:9090' }), {
      status: 200,
    })
    t.match(await ask('GET', '/readyz'), { status: 200 })
    t.match(await ask('GET', '/metrics'), { status: 401 })
  })
  await t.test('an address in use is told', async t => {
    const { admin } = await listening(t)
    await t.rejects(startAdmin({ api: new FakeController(), port: admin.port, log: silentLogger() }), {
      code: 'port_in_use',
      message: /--admin/,
    })
  })
})

t.test('packages', async t => {
  const { api, admin } = await listening(t, { maxPackageBytes: 100_000 })
  const upload = async (body: NonNullable<RequestInit['body']>, type = 'application/gzip') =>
    fetch(`${admin.url}/v1/packages`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
      duplex: 'half',
    } as RequestInit)
  await t.test('are streamed to the controller; the same again is 200', async t => {
    const first = await upload(Buffer.alloc(50_000, 1))
    t.equal(first.status, 201)
    const again = await upload(Buffer.alloc(50_000, 1), 'application/zip')
    t.equal(again.status, 200)
    t.strictSame(await again.json(), await first.json())
    t.match(api.uploads, [{ kind: 'gzip', bytes: 50_000 }, { kind: 'zip' }])
  })
  await t.test('over the limit are refused, announced or not', async t => {
    t.match(await (await upload(Buffer.alloc(100_001))).json(), { code: 'package_too_large', status: 413 })
    const chunks = new ReadableStream({
      start(controller) {
        for (let index = 0; index < 20; index += 1) controller.enqueue(Buffer.alloc(10_000))
        controller.close()
      },
    })
    t.match(await (await upload(chunks)).json(), { code: 'package_too_large', status: 413 })
    t.equal(api.uploads.length, 2)
  })
  await t.test('of other types, or no packages at all, are refused', async t => {
    t.equal((await upload('{}', 'application/json')).status, 415)
    t.match(await (await upload('abc')).json(), { code: 'invalid_package', status: 422 })
  })
  await t.test('a broken upload fails at the controller and leaves the server well', async t => {
    const failed = new Promise<unknown>(resolve => {
      const addPackage = api.addPackage.bind(api)
      api.addPackage = async (stream, kind) => {
        api.addPackage = addPackage
        try {
          return await addPackage(stream, kind)
        } catch (error) {
          resolve(error)
          throw error
        }
      }
    })
    const request = rawHttp(`${admin.url}/v1/packages`, {
      method: 'POST',
      headers: { 'content-type': 'application/gzip', 'content-length': 1000 },
    })
    request.on('error', () => undefined)
    request.write(Buffer.alloc(10), () => request.destroy())
    t.ok((await failed) instanceof Error)
    t.equal((await fetch(`${admin.url}/healthz`)).status, 200)
  })
})

t.test('the timeline', async t => {
  const { api, admin } = await listening(t, { heartbeatMs: 20 })
  for (const word of ['a', 'b', 'c']) api.emit(word, word === 'b' ? 'other' : 'guestbook')
  await t.test('begins after Last-Event-ID, goes on with what comes, and is left cleanly', async t => {
    const end = new AbortController()
    const answer = await fetch(`${admin.url}/v1/events`, { headers: { 'last-event-id': '1' }, signal: end.signal })
    t.match(answer.headers.get('content-type'), /^text\/event-stream/)
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const more = async (): Promise<string> => (text += (await reader?.read())?.value ?? '')
    await until('history', async () => (await more()).includes('id: 3\n'))
    t.notMatch(text, /id: 1\n/)
    t.match(text, /id: 2\nevent: note\ndata: \{"seq":2,.*"message":"b"/)
    api.emit('d')
    await until('the new one', async () => (await more()).includes('id: 4\n'))
    await until('a heartbeat', async () => (await more()).includes('\n: \n\n'))
    end.abort()
    await until('the subscription is gone', () => api.subscribers === 0)
  })
  await t.test('can be of one service, and end', async t => {
    const text = await (await fetch(`${admin.url}/v1/events?follow=0&service=other`)).text()
    t.same(text.match(/id: \d+/g), ['id: 2'])
    t.equal((await fetch(`${admin.url}/v1/events?after=x`)).status, 400)
  })
  await t.test('closing ends streams and waits', async t => {
    const { api, admin } = await listening(t)
    const stream = await fetch(`${admin.url}/v1/events`)
    const wait = fetch(`${admin.url}/v1/services/guestbook/swap?wait=60`, { method: 'POST' })
    await until('the wait began', () => api.operation('op-1'))
    await admin.close()
    t.match(await stream.text(), /retry/)
    t.match(await (await wait).json(), { status: 'InProgress' })
  })
})

t.test('the log of an instance', async t => {
  const { api, admin } = await listening(t)
  const url = `${admin.url}${SLOT}/instances/web_IN_0/logs`
  t.equal(await (await fetch(url)).text(), 'one\ntwo\n')
  t.match(await (await fetch(`${admin.url}${SLOT}/instances/web_IN_7/logs`)).json(), {
    code: 'instance_not_found',
    detail: /web_IN_0, web_IN_1/,
  })
  api.logError = new VipswapError('unreachable', 'node-0 is away')
  t.match(await (await fetch(url)).json(), { code: 'unreachable', status: 503 })
  api.logError = null
  const end = new AbortController()
  const answer = await fetch(`${url}?follow=1`, { signal: end.signal })
  const first = await answer.body?.getReader().read()
  t.match(Buffer.from(first?.value ?? []).toString(), /^one/)
  end.abort()
  await until('the controller is told to stop', () => api.logSignals.at(-1)?.aborted)
  api.logPieces = []
  const quiet = await fetch(`${url}?follow=1`)
  t.equal(quiet.status, 200, 'a silent log is answered, too')
  await quiet.body?.cancel()
})

t.test('the road to one instance', async t => {
  const { api, admin } = await listening(t, { token: 's3cret' })
  const seen: {
    method: string | undefined
    url: string | undefined
    headers: IncomingMessage['headers']
    body: string
  }[] = []
  const origin: Server = createHttpServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      seen.push({
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      })
      response
        .writeHead(418, { 'x-own': '1', connection: 'keep-alive, x-hop', 'x-hop': 'secret' })
        .end('short and stout')
    })
  })
  const sockets = new WebSocketServer({ server: origin })
  sockets.on('connection', (socket, request) => {
    seen.push({ method: 'WS', url: request.url, headers: request.headers, body: '' })
    socket.on('message', data => socket.send(`echo ${String(data as Buffer)}`))
  })
  await new Promise<void>(resolve => origin.listen(0, '127.0.0.1', resolve))
  const { port } = origin.address() as AddressInfo
  t.teardown(() => {
    sockets.close()
    origin.close()
    origin.closeAllConnections()
  })
  api.addresses.set('guestbook/production/web_IN_0/http', { host: '127.0.0.1', port })
  const base = `${admin.url}${SLOT}/instances/web_IN_0/proxy`
  const authorization = 'Bearer s3cret'

  await t.test('passes method, path, query, headers and body, and the answer back', async t => {
    const answer = await fetch(`${base}/a%2Fb/c?x=1&y`, {
      method: 'PUT',
      body: 'hello',
      headers: { authorization, 'x-mine': '2' },
    })
    t.equal(answer.status, 418)
    t.equal(await answer.text(), 'short and stout')
    t.equal(answer.headers.get('x-own'), '1')
    t.equal(answer.headers.get('x-hop'), null, 'hop-by-hop fields stay behind')
    t.match(answer.headers.get('content-security-policy'), /^sandbox/)
    const got = seen.pop()
    t.match(got, {
      method: 'PUT',
      url: '/a%2Fb/c?x=1&y',
      body: 'hello',
      headers: { 'x-mine': '2', host: `127.0.0.1:${port}` },
    })
    t.equal(got?.headers.authorization, undefined, 'our token is not shown to the instance')
  })
  await t.test('a chunked DELETE stays one request', async t => {
    const before = seen.length
    await new Promise<void>((resolve, reject) => {
      const request = rawHttp(
        `${base}/x`,
        { method: 'DELETE', headers: { authorization, 'transfer-encoding': 'chunked' }, agent: new Agent() },
        answer => {
          answer.resume().on('end', resolve)
        },
      )
      request.on('error', reject)
      request.end('GET /secret HTTP/1.1\r\nhost: x\r\n\r\n')
    })
    t.equal(seen.length, before + 1)
    t.match(seen.at(-1), { method: 'DELETE', url: '/x', body: /^GET \/secret/ })
  })
  await t.test('HEAD has no body, and GET without a path is the root', async t => {
    t.equal((await fetch(base, { method: 'HEAD', headers: { authorization } })).status, 418)
    t.match(seen.pop(), { method: 'HEAD', url: '/' })
  })
  await t.test('an instance that does not listen is a problem', async t => {
    t.match(
      await (await fetch(`${admin.url}${SLOT}/instances/web_IN_1/proxy/`, { headers: { authorization } })).json(),
      { code: 'unreachable', status: 503 },
    )
    const free = createHttpServer()
    await new Promise<void>(resolve => free.listen(0, '127.0.0.1', resolve))
    const closed = (free.address() as AddressInfo).port
    await new Promise(resolve => free.close(resolve))
    api.addresses.set('guestbook/production/web_IN_1/http', { host: '127.0.0.1', port: closed })
    t.match(
      await (await fetch(`${admin.url}${SLOT}/instances/web_IN_1/proxy/`, { headers: { authorization } })).json(),
      { code: 'unreachable', detail: /ECONNREFUSED/ },
    )
  })
  await t.test('a WebSocket goes through', async t => {
    const socket = new WebSocket(`${base.replace('http', 'ws')}/chat?room=1`, { headers: { authorization } })
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const answer = new Promise(resolve => socket.once('message', data => resolve(String(data as Buffer))))
    socket.send('hi')
    t.equal(await answer, 'echo hi')
    t.match(seen.pop(), { method: 'WS', url: '/chat?room=1', headers: { authorization: undefined } })
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.close()
    await closed
  })
  await t.test('an upgrade without token, from another origin, with a body, or elsewhere is refused', async t => {
    const path = `${SLOT}/instances/web_IN_0/proxy/`
    const upgrade = async (url: string, ...lines: string[]): Promise<string> => {
      const socket: Socket = connect(admin.port, '127.0.0.1')
      t.teardown(() => socket.destroy())
      const fields = [
        'Host: localhost',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        ...lines,
      ]
      socket.write(`GET ${url} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
      let text = ''
      for await (const chunk of socket) text += String(chunk as Buffer)
      return text
    }
    const token = `Authorization: ${authorization}`
    const before = seen.length
    t.match(await upgrade(path), /^HTTP\/1\.1 401 /)
    t.match(await upgrade(path, token, 'Origin: http://evil.example'), /^HTTP\/1\.1 403 /)
    t.match(await upgrade(path, token, 'Content-Length: 5'), /^HTTP\/1\.1 400 [^]*may not carry a body/)
    t.match(await upgrade(path, token, 'Transfer-Encoding: chunked'), /^HTTP\/1\.1 400 /)
    t.match(await upgrade('/v1/services', token), /^HTTP\/1\.1 404 /)
    t.match(await upgrade(`${SLOT}/instances/web_IN_9/proxy/`, token), /^HTTP\/1\.1 404 /)
    t.match(await upgrade(`${SLOT}/instances/web_IN_1/proxy/`, token), /^HTTP\/1\.1 503 /)
    t.equal(seen.length, before)
  })
})

t.test('pause and resume', async t => {
  const { api, ask } = inProcess(t)
  const last = () => api.commands.at(-1)?.command
  const where = { service: 'guestbook', slot: 'production' }
  t.match(await ask('POST', `${SLOT}/pause`), { status: 202 })
  t.match(last(), { kind: 'pause', ...where, timeoutMs: 30_000 })
  t.match(await ask('POST', `${SLOT}/pause`, { timeout: '5m' }), { status: 202 })
  t.match(last(), { kind: 'pause', timeoutMs: 300_000 })
  t.match(await ask('POST', `${SLOT}/resume`), { status: 202 })
  t.match(last(), { kind: 'resume', ...where })
  for (const timeout of ['301s', '0s', 'long']) {
    const refused = await ask('POST', `${SLOT}/pause`, { timeout })
    t.match(refused, { status: 400, json: { code: 'invalid_request', detail: /timeout/ } }, timeout)
  }
})

t.test('traffic', async t => {
  const { ask } = inProcess(t)
  const path = '/v1/services/guestbook/traffic'
  t.match(await ask('GET', path), { status: 200, json: { service: 'guestbook', mark: null, next: 'm-next' } })
  t.match(await ask('POST', `${path}/marks`, { label: 'before' }), {
    status: 201,
    json: { mark: 'm-1', label: 'before' },
  })
  t.match(await ask('POST', `${path}/marks`), { status: 201, json: { mark: 'm-2', label: null } })
  t.match(await ask('GET', `${path}?since=m-1`), { status: 200, json: { mark: 'm-1' } })
  t.match(await ask('GET', `${path}?since=m-9`), { status: 404, json: { code: 'mark_not_found' } })
  t.match((await ask('GET', `${path}/marks`)).json, { marks: [{ mark: 'm-1' }, { mark: 'm-2' }] })
  t.match((await ask('GET', `${path}/series?seconds=2&after=2`)).json, { stepMs: 1000, points: [{ seq: 3 }] })
  t.match(await ask('GET', `${path}/series?seconds=soon`), { status: 400, json: { code: 'invalid_request' } })
  t.match(await ask('GET', '/v1/services/nope/traffic/series'), { status: 404, json: { code: 'service_not_found' } })
})

t.test('health and policies', async t => {
  const { api, ask } = inProcess(t)
  t.match(await ask('GET', `${SLOT}/health`), { status: 200, json: { state: 'Warning', roles: [{ name: 'web' }] } })
  t.match(await ask('GET', SLOT.replace('guestbook', 'nobody') + '/health'), {
    status: 404,
    json: { code: 'service_not_found' },
  })
  const said = { source: 'probe', property: 'p', state: 'Error', ttl: '30s' }
  t.match(await ask('POST', `${SLOT}/health`, said), { status: 200, json: { state: 'Error' } })
  t.match(api.reports, [
    { report: { ...said, ttl: undefined, ttlMs: 30_000, sequence: null, removeWhenExpired: false } },
  ])
  for (const [body, message] of [
    [{ ...said, state: 'Bad' }, /state must be "Ok" or "Warning" or "Error"/],
    [{ ...said, ttl: 30 }, /ttl must be a string/],
    [{ ...said, sequence: -1 }, /sequence/],
    [{ property: 'p', state: 'Ok' }, /source is missing/],
  ] as const) {
    t.match(await ask('POST', `${SLOT}/health`, body), {
      status: 400,
      json: { code: 'invalid_request', detail: message },
    })
  }
  api.refusal = new VipswapError('stale_report', 'sequence 1 is not above 2')
  t.match(await ask('POST', `${SLOT}/health`, said), { status: 409, json: { code: 'stale_report' } })

  await ask('POST', `${SLOT}/upgrade`, { package: DIGEST, policy: 'service-fabric' })
  t.match(api.commands.at(-1)?.command, { policy: { extends: 'service-fabric' } })
  await ask('PATCH', `${SLOT}/upgrade`, { policy: { failureAction: 'manual', upgradeTimeout: 'none' } })
  t.strictSame(api.commands.at(-1)?.command, {
    kind: 'changeUpgrade',
    service: 'guestbook',
    slot: 'production',
    policy: { failureAction: 'manual', upgradeTimeout: 'none' },
  })
  for (const [policy, message] of [
    ['fast', /there is no policy "fast"; known: default, service-fabric/],
    [{ failureAction: 'panic' }, /failureAction must be "rollback" or "manual"/],
    [{ upgradeTimeot: '1h' }, /upgradeTimeot is not known here; did you mean upgradeTimeout/],
    [7, /it must be an object/],
  ] as const) {
    const refused = await ask('PATCH', `${SLOT}/upgrade`, { policy })
    t.match(refused, { status: 422, json: { code: 'invalid_policy', detail: message } })
  }
  t.match(await ask('PATCH', `${SLOT}/upgrade`, {}), { status: 400, json: { detail: /mode and policy are missing/ } })
})
