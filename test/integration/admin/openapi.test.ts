import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Validator } from '@seriousme/openapi-schema-validator'
import t, { type Test } from 'tap'
import { buildAdmin, startAdmin } from '../../../src/admin/server.ts'
import { ERRORS } from '../../../src/core/errors.ts'
import { VipswapError, type ErrorCode } from '../../../src/core/errors.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { RUNNING, type Verb } from '../../../src/fabric/concurrency.ts'
import { ApiDocument } from '../../support/api-document.ts'
import { FakeController } from './fake-controller.ts'
import { FakeMembers } from './fake-members.ts'

const DIGEST = 'ab'.repeat(32)
const S = '/v1/services/guestbook'
const SLOT = `${S}/slots/production`
const INSTANCE = `${SLOT}/instances/web_IN_0`

interface Call {
  readonly method: string
  readonly path: string
  readonly body?: object
  readonly headers?: Record<string, string>
}
const get = (path: string, headers: Record<string, string> = {}): Call => ({ method: 'GET', path, headers })
const post = (path: string, body?: object, headers: Record<string, string> = {}): Call => ({
  method: 'POST',
  path,
  headers,
  ...(body === undefined ? {} : { body }),
})

/** Ways to call each operation: one that is answered and, where it can be told by the call alone, some that are refused. */
const CALLS: Readonly<Record<string, readonly Call[]>> = {
  listServices: [get('/v1/services')],
  getService: [get(S), get('/v1/services/nobody'), get(`${S}?wait=x`), get(S, { 'if-none-match': '*' })],
  deleteService: [
    { method: 'DELETE', path: S },
    { method: 'DELETE', path: '/v1/services/nobody' },
  ],
  swap: [
    post(`${S}/swap`),
    post(`${S}/swap`, { expect: { production: 'dep-production', staging: null } }),
    post(`${S}/swap?wait=0`),
    post(`${S}/swap`, { phase: 'later' }),
    post(`${S}/swap`, undefined, { 'if-match': '"x"' }),
    post(`${S}/swap`, undefined, { 'idempotency-key': '' }),
    post(`${S}/swap`, undefined, { origin: 'http://evil.example' }),
    post(`${S}/swap`, { huge: 'x'.repeat(1024 * 1024) }),
    { method: 'POST', path: `${S}/swap`, headers: { 'content-type': 'text/plain' }, body: {} },
  ],
  getDeployment: [
    get(SLOT),
    get('/v1/services/empty/slots/staging'),
    get(`${S}/slots/test`),
    get(SLOT, { 'if-none-match': '*' }),
  ],
  createDeployment: [post('/v1/services/fresh/slots/staging', { package: DIGEST }), post(`${S}/slots/staging`, {})],
  deleteDeployment: [{ method: 'DELETE', path: SLOT }],
  upgrade: [post(`${SLOT}/upgrade`, { package: DIGEST }), post(`${SLOT}/upgrade`, { package: DIGEST, policy: 'none' })],
  changeUpgrade: [
    { method: 'PATCH', path: `${SLOT}/upgrade`, body: { mode: 'manual' } },
    { method: 'PATCH', path: `${SLOT}/upgrade` },
  ],
  walk: [post(`${SLOT}/walk`, { domain: 1 }), post(`${SLOT}/walk`)],
  rollback: [post(`${SLOT}/rollback`), post(`${SLOT}/rollback`, { mode: 'auto' })],
  configure: [
    post(`${SLOT}/configuration`, { configuration: { roles: { web: { instances: 2 } } } }),
    post(`${SLOT}/configuration`, { configuration: { roles: { web: { certificates: { site: 'no PEM' } } } } }),
  ],
  getRecovery: [get('/v1/recovery')],
  acceptRecovery: [post('/v1/recovery/accept')],
  setStatus: [post(`${SLOT}/status`, { status: 'Suspended' }), post(`${SLOT}/status`)],
  plan: [post(`${SLOT}/plan`, { swap: {} }), post(`${SLOT}/plan`, { swap: {}, upgrade: { package: DIGEST } })],
  getHealth: [get(`${SLOT}/health`), get('/v1/services/nobody/slots/staging/health')],
  reportHealth: [post(`${SLOT}/health`, { source: 's', property: 'p', state: 'Ok' }), post(`${SLOT}/health`)],
  reboot: [post(`${INSTANCE}/reboot`), post(`${SLOT}/instances/web_IN_9/reboot`)],
  reimage: [post(`${INSTANCE}/reimage`)],
  drain: [post(`${INSTANCE}/drain`)],
  undrain: [post(`${INSTANCE}/undrain?wait=0`)],
  explainInstance: [get(`${INSTANCE}/explain`), get(`${SLOT}/instances/web_IN_9/explain`)],
  readLog: [get(`${INSTANCE}/logs?tail=100`), get(`${SLOT}/instances/web_IN_9/logs`)],
  listOperations: [
    get('/v1/operations'),
    get('/v1/operations?service=guestbook&limit=1'),
    get('/v1/operations?status=Lost'),
  ],
  getOperation: [get('/v1/operations/op-1'), get('/v1/operations/op-1?wait=0'), get('/v1/operations/op-999')],
  force: [post('/v1/operations/op-1/force'), post('/v1/operations/op-999/force')],
  getReceipt: [
    get('/v1/operations/op-ended/receipt'),
    get('/v1/operations/op-1/receipt'),
    get('/v1/operations/op-999/receipt'),
  ],
  followEvents: [get('/v1/events?follow=0'), get('/v1/events?after=x')],
  addPackage: [
    { method: 'POST', path: '/v1/packages', headers: { 'content-type': 'application/gzip' } },
    { method: 'POST', path: '/v1/packages', headers: { 'content-type': 'application/gzip' } },
    { method: 'POST', path: '/v1/packages', headers: { 'content-type': 'text/plain' } },
  ],
  getTraffic: [get('/v1/services/guestbook/traffic'), get('/v1/services/guestbook/traffic?since=m-nowhere')],
  listMarks: [get('/v1/services/guestbook/traffic/marks')],
  makeMark: [post('/v1/services/guestbook/traffic/marks', { label: 'here' })],
  getTrafficSeries: [get('/v1/services/guestbook/traffic/series?seconds=5')],
  pause: [post(`${SLOT}/pause`, { timeout: '5s' }), post(`${SLOT}/pause`, { timeout: '1h' })],
  resume: [post(`${SLOT}/resume`)],
  collectPackages: [post('/v1/gc')],
  listNodes: [get('/v1/nodes')],
  drainNode: [post('/v1/nodes/node-0/drain'), post('/v1/nodes/node-0/drain', undefined, { 'if-match': '"x"' })],
  undrainNode: [post('/v1/nodes/node-0/undrain')],
  isAlive: [get('/healthz')],
  isReady: [get('/readyz')],
  readMetrics: [get('/metrics')],
  listMembers: [get('/v1/members')],
  makeJoinToken: [post('/v1/join-tokens', { kind: 'agent' }), post('/v1/join-tokens', { kind: 'agent', ttl: '31d' })],
  removeMember: [
    { method: 'DELETE', path: '/v1/members/agent/far' },
    { method: 'DELETE', path: '/v1/members/agent/nobody' },
  ],
  whoAmI: [get('/v1/whoami')],
  getDocument: [get('/openapi.json')],
  getApiPage: [get('/api')],
  getErrorsPage: [get('/api/errors')],
  'askInstance-get': [
    get(`${INSTANCE}/proxy/a/b?c=d`),
    get(`${SLOT}/instances/web_IN_1/proxy/`),
    get(`${SLOT}/instances/x/proxy/`),
  ],
  openInstance: [post(`${INSTANCE}/open`), post(`${SLOT}/instances/web_IN_9/open`)],
  'askInstanceRoot-get': [get(`${INSTANCE}/proxy`)],
}
/** Also in every spelling of their method. */
const ANY_METHOD = ['askInstance', 'askInstanceRoot']

async function serve(t: Test) {
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  api.addService('empty', {})
  const instance = createServer((request, response) => request.pipe(response))
  await new Promise<void>(resolve => {
    instance.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => instance.close())
  const { port } = instance.address() as AddressInfo
  api.addresses.set('guestbook/production/web_IN_0/http', { host: '127.0.0.1', port })
  await api.submit({ kind: 'swap', service: 'guestbook' }, {})
  const admin = await startAdmin({ api, members: new FakeMembers(), port: 0, log: silentLogger() })
  t.teardown(() => admin.close())
  const document = (await (await fetch(`${admin.url}/openapi.json`)).json()) as Record<string, unknown>
  return { api, admin, document, checked: new ApiDocument(document) }
}

t.test('the document is OpenAPI 3.1', async t => {
  const { document } = await serve(t)
  const { valid, errors } = await new Validator().validate(structuredClone(document))
  t.strictSame(errors ?? [], [])
  t.ok(valid)
  t.match(document, { openapi: /^3\.1\./, info: { title: 'vipswap admin API' } })
})

t.test('every operation has a summary, its parameters, answers and one example that its schema allows', async t => {
  const { checked } = await serve(t)
  const ids = checked.operations.map(({ id }) => id)
  t.equal(new Set(ids).size, ids.length, 'ids are unique')
  for (const { id, path, json } of checked.operations) {
    t.match(json, { summary: /^[A-Z].*\.$/, tags: [String], responses: { 400: Object, 401: Object, 500: Object } }, id)
    const named = (json['parameters'] as { name: string; in: string }[]).filter(each => each.in === 'path')
    t.strictSame(
      named.map(({ name }) => name).toSorted(),
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name).toSorted(),
      `${id}: the path's parameters`,
    )
    const media = [json['requestBody'], ...Object.values(json['responses'] as object)].flatMap(holder =>
      Object.values(
        ((holder ?? {}) as { content?: Record<string, { schema?: unknown; example?: unknown }> }).content ?? {},
      ),
    )
    const shown = media.filter(({ example }) => example !== undefined)
    t.equal(shown.length, 1, `${id}: one example`)
    for (const { schema, example } of shown) t.strictSame(checked.check(`example of ${id}`, schema, example), [], id)
  }
})

t.test('every operation answers, on a server that runs, as the document says and nothing besides', async t => {
  const { api, admin, checked } = await serve(t)
  const ended = await api.submit({ kind: 'swap', service: 'guestbook' }, {})
  api.update(ended.operationId, { status: 'Failed', error: { code: 'start_failed', message: 'it did not start' } })
  for (const { id, method } of checked.operations) {
    const [base = id] = id.split('-')
    const calls = CALLS[id] ?? (ANY_METHOD.includes(base) ? CALLS[`${base}-get`] : undefined)
    if (calls === undefined) {
      t.fail(`no test calls ${id}`)
      continue
    }
    const statuses: number[] = []
    for (const call of calls) {
      const path = call.path.replace('op-ended', ended.operationId)
      t.equal(checked.find(method, path.replace(/\?.*$/, ''))?.id, id, `${method} ${path} is ${id}`)
      // fetch knows no TRACE; whatever an instance does with it is the same road.
      if (method === 'TRACE') continue
      const answer = await fetch(admin.url + path, {
        method,
        headers: { ...(call.body === undefined ? {} : { 'content-type': 'application/json' }), ...call.headers },
        ...(id === 'addPackage'
          ? { body: 'package' }
          : call.body === undefined
            ? {}
            : { body: JSON.stringify(call.body) }),
      })
      const body = await answer.text()
      statuses.push(answer.status)
      t.match(answer.headers.get('x-request-id'), /./, `${id} has a request id`)
      if (method === 'HEAD') continue
      t.strictSame(
        checked.faults(id, { status: answer.status, type: answer.headers.get('content-type'), body }),
        [],
        path,
      )
    }
    t.ok(
      statuses.length === 0 || statuses.some(status => status < 300),
      `${id} was answered well at least once: ${statuses.join()}`,
    )
  }
})

t.test('every answer of a call that waits, and of one that is not ready, is as the document says', async t => {
  const { api, admin, checked } = await serve(t)
  api.ending = 'Succeeded'
  api.isReady = { ready: false, reason: 'no proxy' }
  for (const [id, call] of [
    ['swap', post(`${S}/swap?wait=5`)],
    ['isReady', get('/readyz')],
  ] as const) {
    const answer = await fetch(admin.url + call.path, { method: call.method })
    t.strictSame(
      checked.faults(id, {
        status: answer.status,
        type: answer.headers.get('content-type'),
        body: await answer.text(),
      }),
      [],
    )
  }
})

t.test('a checker finds what is missing, what is too much and what nobody described', async t => {
  const { checked } = await serve(t)
  const answer = (status: number, body: object, type = 'application/json') =>
    checked.faults('swap', { status, type, body: JSON.stringify(body) })
  t.strictSame(answer(202, { operationId: 'op-1' }), [])
  t.match(answer(202, {}), [/operationId/])
  t.match(answer(202, { operationId: 'op-1', more: 1 }), [/./])
  t.match(answer(418, {}), [/not documented/])
  t.match(answer(202, { operationId: 'op-1' }, 'text/plain'), [/not documented/])
  const problem = { type: '/api/errors#slot_empty', title: 'Slot empty', status: 409, detail: 'empty' }
  t.strictSame(answer(409, { ...problem, code: 'slot_empty' }, 'application/problem+json'), [])
  t.not(
    answer(409, { ...problem, code: 'slot_occupied' }, 'application/problem+json').length,
    0,
    'not a code of this call',
  )
  t.equal(checked.find('GET', '/v1/unknown'), null)
})

t.test('a route of /v1 without a description does not come up', async t => {
  const { app, close } = buildAdmin({ api: new FakeController(), port: 0, log: silentLogger() })
  t.teardown(close)
  t.throws(() => app.get('/v1/more', () => 'more'), /GET \/v1\/more has no description/)
  t.doesNotThrow(() => app.get('/logo.svg', () => 'portal'))
})

// What a running operation may refuse stands in one table: whatever it says, the document says of the call, too.
t.test('what is refused while something runs is documented with the call', async t => {
  const { checked } = await serve(t)
  const calls: Readonly<Record<Verb, string>> = {
    upgrade: 'upgrade',
    configure: 'configure',
    certificates: 'configure',
    scale: 'configure',
    suspend: 'setStatus',
    start: 'setStatus',
    delete: 'deleteDeployment',
    replace: 'createDeployment',
    deployOther: 'createDeployment',
    rollback: 'rollback',
    walk: 'walk',
    swap: 'swap',
    reboot: 'reboot',
  }
  for (const [running, { asked }] of Object.entries(RUNNING)) {
    for (const [verb, outcome] of Object.entries(asked) as [Verb, string][]) {
      if (!Object.hasOwn(ERRORS, outcome)) continue
      const code = outcome as ErrorCode
      const error = new VipswapError(code, 'refused')
      const body = JSON.stringify({ type: `/api/errors#${code}`, title: 'x', status: error.status, detail: 'x', code })
      t.strictSame(
        checked.faults(calls[verb], { status: error.status, type: 'application/problem+json', body }),
        [],
        `${verb} while ${running}: ${code}`,
      )
    }
  }
})

t.test('people find every call and every code on two pages without scripts', async t => {
  const { admin, checked } = await serve(t)
  const human = await fetch(`${admin.url}/api`)
  const html = await human.text()
  t.match(human.headers.get('content-security-policy'), /^default-src 'none'; style-src 'sha256-/)
  t.notMatch(html, /<script|style="|https?:\/\/(?!127)/)
  t.match(html, /color-scheme: light dark/)
  for (const { id, method, path } of checked.operations) {
    t.ok(html.includes(`<details id="${id}">`), id)
    t.ok(html.includes(`<b>${method}</b> <code>${path}</code>`), path)
  }
  for (const [, anchor] of html.matchAll(/href="#([\w-]+)"/g))
    t.ok(html.includes(`id="${anchor}"`), `#${anchor} leads somewhere`)
  const errors = await (await fetch(`${admin.url}/api/errors`)).text()
  for (const code of Object.keys(ERRORS)) {
    t.match(
      errors,
      new RegExp(`<tr id="${code}"><td><code>${code}</code></td><td>\\d+</td><td>.+?</td><td>.+?</td>`),
      code,
    )
  }
  const { type } = (await (await fetch(`${admin.url}/v1/services/nobody`)).json()) as { type: string }
  t.equal(new URL(type, admin.url).href, `${admin.url}/api/errors#service_not_found`)
})
