import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { AuditFile } from '../../../src/admin/audit/audit-file.ts'
import { startAdmin } from '../../../src/admin/server.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { FakeController } from './fake-controller.ts'

const SLOT = '/v1/services/guestbook/slots/production'

async function serve(t: Test) {
  const path = join(tempDir(t), 'audit', 'audit.log')
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const admin = await startAdmin({
    api,
    port: 0,
    log: silentLogger(),
    token: 'ann secret-admin\nvic:viewer secret-viewer\n',
    audit: { path, maxBytes: 1024 ** 2, keep: 2 },
  })
  t.teardown(() => admin.close())
  const ask = async (
    path: string,
    init: { method?: string; body?: string; headers?: Record<string, string>; token?: string } = {},
  ) => {
    const { token = 'secret-admin', headers, ...rest } = init
    const answer = await fetch(admin.url + path, {
      ...rest,
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    })
    await answer.text()
    return answer.status
  }
  const refused = () => recordsIn(path.replace('audit.log', 'refused.log'))
  return { api, admin, ask, path, refused, records: () => recordsIn(path) }
}

function recordsIn(path: string): Record<string, unknown>[] {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as Record<string, unknown>)
}

t.test('a line for each change says who, in which role, from where, what and what came of it', async t => {
  const { ask, path, records } = await serve(t)
  const body = '{"status": "Suspended"}'
  await ask(`${SLOT}/status?wait=0`, {
    method: 'POST',
    body,
    headers: { 'idempotency-key': '"k 1"', 'x-request-id': 'r-1' },
  })
  const [record] = records()
  t.match(record?.['at'], /^20\d\d-\d\d-\d\dT[\d:.]+Z$/)
  t.strictSame(
    { ...record, at: 0 },
    {
      at: 0,
      requestId: 'r-1',
      by: 'ann',
      role: 'admin',
      means: 'token',
      from: '127.0.0.1',
      method: 'POST',
      path: `${SLOT}/status`,
      call: 'setStatus',
      target: { service: 'guestbook', slot: 'production' },
      bodyDigest: createHash('sha256').update(body).digest('hex'),
      idempotencyKey: '"k 1"',
      outcome: 'done',
      status: 202,
      code: null,
      operation: 'op-1',
    },
  )
  t.equal(statSync(path).mode & 0o777, 0o600)
})

t.test('one that waits is recorded when it is accepted, and once', async t => {
  const { ask, api, records } = await serve(t)
  const waiting = ask('/v1/services/guestbook/swap?wait=30', { method: 'POST' })
  await until('it is recorded', async () => records().length === 1)
  t.match(records(), [{ call: 'swap', status: 202, operation: 'op-1' }])
  api.update('op-1', { status: 'Succeeded' })
  t.equal(await waiting, 200)
  t.equal(records().length, 1)
})

t.test('what is refused is recorded with its code; what reads is not recorded', async t => {
  const { ask, records, refused } = await serve(t)
  for (const path of ['/v1/services', SLOT, '/v1/events?follow=0', '/v1/nothing', '/metrics', '/']) await ask(path)
  await ask(`${SLOT}/plan`, { method: 'POST', body: '{"swap":{}}' })
  await ask('/v1/services', { token: '' })
  t.strictSame(records(), [])
  const cases: [Parameters<typeof ask>, object][] = [
    [
      ['/v1/services', { token: 'wrong-secret' }],
      { by: 'anybody', call: 'listServices', status: 401, code: 'unauthorized' },
    ],
    [['/v1/services/guestbook/swap', { method: 'POST', token: '' }], { by: 'anybody', call: 'swap', status: 401 }],
    [
      ['/v1/services/guestbook/swap', { method: 'POST', token: 'secret-viewer' }],
      { by: 'vic', role: 'viewer', status: 403, code: 'forbidden' },
    ],
    [
      ['/v1/services/guestbook/swap', { method: 'POST', headers: { origin: 'http://evil.example' } }],
      { by: 'anybody', status: 403 },
    ],
    [['/v1/nothing', { method: 'DELETE', token: 'wrong-secret' }], { call: null, status: 401, path: '/v1/nothing' }],
    [
      ['/v1/services/nobody/swap', { method: 'POST' }],
      { by: 'ann', status: 404, code: 'service_not_found', target: { service: 'nobody' } },
    ],
    [
      [`${SLOT}/walk`, { method: 'POST', body: '{"domain":' }],
      { status: 400, code: 'invalid_request', bodyDigest: /^[0-9a-f]{64}$/ },
    ],
    [[`${SLOT}/walk`, { method: 'POST', body: '{"domains":1}' }], { status: 400 }],
    [
      ['/v1/services/guestbook/swap', { method: 'POST', headers: { 'idempotency-key': 'x'.repeat(300) } }],
      { status: 400 },
    ],
    [
      ['/v1/packages', { method: 'POST', body: 'p', headers: { 'content-type': 'application/gzip' } }],
      { call: 'addPackage', outcome: 'done', status: 201, bodyDigest: createHash('sha256').update('p').digest('hex') },
    ],
    [['/v1/gc', { method: 'POST' }], { call: 'collectPackages', outcome: 'done', status: 200 }],
  ]
  for (const [index, [call, expected]] of cases.entries()) {
    const status = await ask(...call)
    t.equal(records().length + refused().length, index + 1, call[0])
    const file = status === 401 || status === 403 ? refused : records
    t.match(file().at(-1), { status, outcome: status < 400 ? 'done' : 'refused', ...expected }, call[0])
  }
  t.notMatch(JSON.stringify([...records(), ...refused()]), /secret/)
})

t.test('the road to an instance is recorded: what may change something there, and each WebSocket', async t => {
  const { ask, api, admin, records, refused } = await serve(t)
  const instance = createServer((request, response) => request.pipe(response))
  instance.on('upgrade', (_request, socket) =>
    socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'),
  )
  await new Promise<void>(resolve => {
    instance.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => instance.close())
  api.addresses.set('guestbook/production/web_IN_0/http', {
    host: '127.0.0.1',
    port: (instance.address() as AddressInfo).port,
  })
  const road = `${SLOT}/instances/web_IN_0/proxy/admin`
  await ask(`${road}?password=hunter2`)
  await ask(`${road}?password=hunter2`, { method: 'POST', body: '{"password":"hunter2"}' })
  await until('it is recorded', async () => records().length === 1)
  t.match(records(), [
    { call: 'askInstance', path: road, status: 200, target: { instance: 'web_IN_0' }, bodyDigest: null },
  ])
  for (const [token, status] of [
    ['secret-admin', 101],
    ['secret-viewer', 403],
    ['nobody', 401],
  ] as const) {
    const socket = connect(admin.port, '127.0.0.1')
    socket.end(
      `GET ${road} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n`,
    )
    await new Promise(resolve => socket.resume().once('close', resolve))
    const file = status === 101 ? records : refused
    t.match(file().at(-1), { method: 'GET', path: road, status, outcome: status === 101 ? 'done' : 'refused' })
  }
  t.notMatch(JSON.stringify([...records(), ...refused()]), /hunter2|secret-/)
})

t.test('who may change nothing cannot push out the records of who did', async t => {
  const { ask, path, records, refused } = await serve(t)
  await ask(`${SLOT}/status?wait=0`, { method: 'POST', body: '{"status": "Suspended"}' })
  for (const token of ['', 'wrong', 'secret-viewer'])
    for (let n = 0; n < 3; n++) await ask(`/v1/nodes/${'x'.repeat(400)}/drain`, { method: 'POST', token })
  t.match(records(), [{ call: 'setStatus' }])
  t.equal(records().length, 1)
  t.equal(refused().length, 9)
  t.equal(statSync(path.replace('audit.log', 'refused.log')).mode & 0o777, 0o600)
})

t.test(
  'the file is put aside by size, made private, begun on a new line after a crash, and missed when it cannot be written',
  async t => {
    const folder = join(tempDir(t), 'a')
    const path = join(folder, 'audit.log')
    mkdirSync(folder)
    writeFileSync(path, '{"torn', { mode: 0o644 })
    const faults: string[] = []
    const open = () => new AuditFile({ path, maxBytes: 300, keep: 2, onFault: message => faults.push(message) })
    const file = open()
    file.write({ n: 1 })
    t.equal(readFileSync(path, 'utf8'), '{"torn\n{"n":1}\n')
    t.equal(statSync(path).mode & 0o777, 0o600)
    for (let n = 2; n < 40; n++) file.write({ n, filler: 'x'.repeat(80) })
    t.ok(statSync(path).size <= 300)
    t.ok(statSync(`${path}.1`).size <= 300)
    t.ok(statSync(`${path}.2`).size <= 300)
    t.notOk(existsSync(`${path}.3`))
    t.equal(recordsIn(path).at(-1)?.['n'], 39)
    t.equal(
      Number(recordsIn(`${path}.1`).at(-1)?.['n']) + 1,
      recordsIn(path)[0]?.['n'],
      'none is lost between two files',
    )
    file.close()

    rmSync(folder, { recursive: true })
    writeFileSync(folder, 'in the way')
    const blocked = open()
    blocked.write({ n: 1 })
    blocked.write({ n: 2 })
    t.match(faults, [/cannot be written/])
    rmSync(folder)
    blocked.write({ n: 3 })
    t.match(faults, { length: 2, 1: /2 records .* lost/ })
    t.match(recordsIn(path), [{ n: 3 }])
    blocked.close()
  },
)
