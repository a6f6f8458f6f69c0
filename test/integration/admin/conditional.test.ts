import t, { type Test } from 'tap'
import { buildAdmin } from '../../../src/admin/server.ts'
import type { InstanceView } from '../../../src/contracts/api/instance.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { until } from '../../support/until.ts'
import { FakeController } from './fake-controller.ts'

const SERVICE = '/v1/services/guestbook'
const SLOT = `${SERVICE}/slots/production`

function inProcess(t: Test) {
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const { app, close } = buildAdmin({ api, port: 0, log: silentLogger() })
  t.teardown(close)
  const ask = async (method: 'GET' | 'POST' | 'DELETE', url: string, headers: Record<string, string> = {}) => {
    const answer = await app.inject({ method, url, headers: { host: 'localhost', ...headers } })
    return {
      status: answer.statusCode,
      etag: String(answer.headers['etag'] ?? ''),
      text: answer.body,
      json: answer.body === '' ? {} : answer.json<Record<string, unknown>>(),
    }
  }
  const busy = (inFlight: number): void => {
    const instances = api.deployment('guestbook', 'production')?.instances ?? []
    api.change('guestbook', 'production', {
      instances: instances.map((instance): InstanceView => ({ ...instance, inFlight })),
    })
  }
  return { api, ask, busy }
}

t.test('a service, a slot and an operation come with an ETag; who has it gets 304 and no body', async t => {
  const { ask, busy } = inProcess(t)
  await ask('POST', `${SERVICE}/swap`)
  for (const url of [SERVICE, SLOT, '/v1/operations/op-1']) {
    const { etag } = await ask('GET', url)
    t.match(etag, /^"[\w-]{12}\.[\w-]{12}"$/, url)
    t.match(await ask('GET', url, { 'if-none-match': etag }), { status: 304, etag, text: '' })
    t.match(await ask('GET', url, { 'if-none-match': `"x", W/${etag}` }), { status: 304 }, 'one of several, weakly')
    t.match(await ask('GET', url, { 'if-none-match': '*' }), { status: 304 })
    t.match(await ask('GET', url, { 'if-none-match': '"x"' }), { status: 200, etag })
  }
  const before = await ask('GET', SLOT)
  busy(7)
  t.match(await ask('GET', SLOT, { 'if-none-match': before.etag }), { status: 200 }, 'measurements are shown')
})

t.test('If-Match holds while what was decided is the same, whatever is measured', async t => {
  const { api, ask, busy } = inProcess(t)
  const { etag } = await ask('GET', SLOT)
  busy(3)
  t.match(await ask('POST', `${SLOT}/walk`, { 'if-match': etag }), { status: 202 })
  api.change('guestbook', 'production', { version: '1.0.1' })
  const { status, json } = await ask('POST', `${SLOT}/walk`, { 'if-match': etag })
  t.equal(status, 412)
  t.match(json, { code: 'precondition_failed', detail: /read it again/ })
  t.equal(json['etag'], (await ask('GET', SLOT)).etag, 'it says what there is now')
  t.match(await ask('POST', `${SLOT}/walk`, { 'if-match': String(json['etag']) }), { status: 202 })
  t.equal(api.commands.length, 2, 'what was refused was not submitted')
})

t.test('each call is judged by the tag of what it changes', async t => {
  const { ask } = inProcess(t)
  const service = (await ask('GET', SERVICE)).etag
  const slot = (await ask('GET', SLOT)).etag
  t.match(await ask('POST', `${SERVICE}/swap`, { 'if-match': service }), { status: 202 })
  t.match(await ask('POST', `${SERVICE}/swap`, { 'if-match': slot }), { status: 412 })
  t.match(await ask('DELETE', SLOT, { 'if-match': service }), { status: 412 })
  t.match(await ask('DELETE', SLOT, { 'if-match': `"x", ${slot}` }), { status: 202 })
  t.match(await ask('DELETE', SLOT, { 'if-match': `W/${slot}` }), { status: 412 }, 'weak tags say nothing')
  t.match(await ask('POST', `${SLOT}/instances/web_IN_0/reboot`, { 'if-match': slot }), { status: 202 })
  const operation = (await ask('GET', '/v1/operations/op-1')).etag
  t.match(await ask('POST', '/v1/operations/op-1/force', { 'if-match': operation }), { status: 202 })
  t.match(await ask('POST', '/v1/operations/op-1/force', { 'if-match': slot }), { status: 412 })
  t.match(await ask('POST', '/v1/nodes/node-0/drain', { 'if-match': slot }), { status: 412, json: { detail: /nodes/ } })
  t.match(await ask('DELETE', SERVICE, { 'if-match': '*' }), { status: 202 })
  t.match(await ask('DELETE', '/v1/services/other', { 'if-match': '*' }), { status: 412 }, 'not even anything is there')
})

t.test('a retry under its key is answered as before, though what it asked for no longer holds', async t => {
  const { api, ask } = inProcess(t)
  const { etag } = await ask('GET', SERVICE)
  const first = await ask('POST', `${SERVICE}/swap`, { 'if-match': etag, 'idempotency-key': '"k-1"' })
  t.equal(first.status, 202)
  api.change('guestbook', 'production', { id: 'dep-9' })
  t.match(await ask('POST', `${SERVICE}/swap`, { 'if-match': etag, 'idempotency-key': 'k-1' }), {
    status: 202,
    json: first.json,
  })
  t.match(await ask('POST', `${SERVICE}/swap`, { 'if-match': etag, 'idempotency-key': 'k-2' }), { status: 412 })
})

t.test('?wait= answers when something else is decided, not when something is measured', async t => {
  const { api, ask, busy } = inProcess(t)
  for (const url of [SERVICE, SLOT]) {
    const { etag } = await ask('GET', url)
    let answered = false
    const polled = ask('GET', `${url}?wait=60`, { 'if-none-match': etag }).then(answer => {
      answered = true
      return answer
    })
    await until('a call to wait', () => api.waiters === 1)
    busy(Math.random())
    await until('a call to wait', () => api.waiters === 1)
    t.equal(answered, false)
    api.change('guestbook', 'production', { version: `2.0.${url.length}` })
    const answer = await polled
    t.equal(answer.status, 200)
    t.not(answer.etag, etag)
    t.match(
      await ask('GET', `${url}?wait=60`, { 'if-none-match': etag }),
      { status: 200, etag: answer.etag },
      'at once',
    )
    t.match(await ask('GET', `${url}?wait=0.01`, { 'if-none-match': answer.etag }), { status: 304 }, 'the time is up')
    t.match(await ask('GET', `${url}?wait=0.01`), { status: 200 })
  }
  t.equal(api.waiters, 0)
})

t.test('a wait on what is deleted meanwhile ends', async t => {
  const { api, ask } = inProcess(t)
  const polled = ask('GET', `${SERVICE}?wait=60`)
  await until('a call to wait', () => api.waiters === 1)
  api.removeService('guestbook')
  t.match(await polled, { status: 404, json: { code: 'service_not_found' } })
})
