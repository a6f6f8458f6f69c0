import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { ROLE_OF_CALL } from '../../../src/admin/access/permissions.ts'
import { startAdmin, type AdminOptions } from '../../../src/admin/server.ts'
import { ACCESS_ROLES, covers } from '../../../src/core/access-role.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { ApiDocument } from '../../support/api-document.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { FakeController } from './fake-controller.ts'

const S = '/v1/services/guestbook'
const TOKENS = 'ann secret-admin\nopal:operator secret-operator\nvic:viewer secret-viewer\n'

async function serve(t: Test, options: Partial<AdminOptions> = {}) {
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const admin = await startAdmin({ api, port: 0, log: silentLogger(), ...options })
  t.teardown(() => admin.close())
  const agents = new Map<string, Agent>()
  t.teardown(async () => Promise.all([...agents.values()].map(async agent => agent.destroy())))
  const ask = async (token: string | null, path: string, method = 'GET', from = '127.0.0.1') => {
    const dispatcher = agents.get(from) ?? new Agent({ localAddress: from })
    agents.set(from, dispatcher)
    const headers = token === null ? {} : { authorization: `Bearer ${token}` }
    // undici's list of methods is open at run time.
    const answer = await request(admin.url + path, { method: method as 'GET', headers, dispatcher })
    const text = await answer.body.text()
    const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {}
    return { status: answer.statusCode, headers: answer.headers, json }
  }
  return { api, admin, ask }
}

t.test('every call of the document asks for the role that the table says, and no more', async t => {
  const { ask } = await serve(t, { token: TOKENS })
  const document = new ApiDocument((await ask('secret-viewer', '/openapi.json')).json)
  const seen = new Set<string>()
  for (const { id, method, path, json } of document.operations) {
    const [base = id] = id.split('-')
    seen.add(base)
    const needed = ROLE_OF_CALL[base]
    if (needed === undefined) {
      t.fail(`${base} is not in the table of roles`)
      continue
    }
    t.equal(json['x-role'], needed, id)
    // A log that is followed, and events, do not end by themselves; nor does anything here change what comes next.
    const url = path
      .replace('{path}', 'x')
      .replace('{slot}', 'production')
      .replace(/\{\w+\}/g, 'nothing')
    for (const role of ACCESS_ROLES) {
      const { status, json: problem } = await ask(`secret-${role}`, `${url}?follow=0`, method)
      const refused = status === 403
      t.equal(refused, !covers(role, needed), `${role}: ${method} ${path} was answered ${status}`)
      if (refused && method !== 'HEAD')
        t.match(problem, { code: 'forbidden', needed, detail: new RegExp(`role ${needed}`) })
    }
  }
  t.strictSame([...seen].toSorted(), Object.keys(ROLE_OF_CALL).toSorted(), 'the table names calls that there are')
})

t.test('who may not do something is told so in what he reads', async t => {
  const { ask } = await serve(t, { token: TOKENS })
  t.match((await ask('secret-viewer', '/v1/whoami')).json, { name: 'vic', role: 'viewer', means: 'token' })
  const swapOf = async (token: string) => {
    const list = (await ask(token, '/v1/services')).json as { services: { slots: { production: unknown } }[] }
    const alone = (await ask(token, `${S}/slots/production`)).json
    const service = (await ask(token, S)).json as { slots: { production: { actions: unknown } } }
    const first = list.services[0]?.slots.production as { actions: { swap: unknown } }
    t.strictSame(first.actions, alone['actions'])
    t.strictSame(service.slots.production.actions, alone['actions'])
    return first.actions.swap
  }
  t.strictSame(await swapOf('secret-admin'), { allowed: true })
  t.strictSame(await swapOf('secret-operator'), { allowed: true })
  const reason = 'this takes the role operator, and vic is a viewer'
  t.strictSame(await swapOf('secret-viewer'), { allowed: false, code: 'forbidden', reason })
})

t.test('a token file is in force as soon as it is changed, and a broken one changes nothing', async t => {
  const file = join(tempDir(t), 'tokens')
  const write = (text: string, mode = 0o600): void => {
    writeFileSync(`${file}.new`, text, { mode })
    renameSync(`${file}.new`, file)
  }
  write('ann old-secret\n')
  const lines: string[] = []
  const sink = new PassThrough().on('data', (text: Buffer) => lines.push(text.toString()))
  const { admin, ask } = await serve(t, { tokenFile: file, log: pino({}, sink) })
  const status = async (token: string) => (await ask(token, '/v1/services')).status
  t.equal(await status('old-secret'), 200)
  t.equal(await status('new-secret'), 401)

  const headers = { authorization: 'Bearer old-secret' }
  const events = await fetch(`${admin.url}/v1/events`, { headers })
  const ended = events.text().then(
    () => 'ended',
    () => 'cut',
  )
  write('ann old-secret\nann new-secret\n')
  t.strictSame([await status('old-secret'), await status('new-secret')], [200, 200], 'both, while both stand there')
  write('ann old-secret\nann new-secret\nann:boss x\n')
  t.strictSame([await status('old-secret'), await status('new-secret'), await status('x')], [200, 200, 401])
  write('ann new-secret\n', 0o644)
  t.equal(await status('old-secret'), 200)
  t.equal(lines.filter(line => line.includes('is not used')).length, 2, 'it says so')
  t.notMatch(lines.join(''), /old-secret|new-secret/)

  write('ann new-secret\n')
  t.equal(await ended, 'cut', 'what was open with a token that is gone is cut, with nobody calling')
  t.strictSame([await status('old-secret'), await status('new-secret')], [401, 200])
})

t.test('who guesses waits, and nobody at another address does', async t => {
  const { ask } = await serve(t, { token: TOKENS })
  const guess = async (each: number) => ask(`guess-${each}`, S, 'GET', '127.0.0.9')
  for (let each = 0; each < 11; each++) t.equal((await guess(each)).status, 401)
  const refused = await guess(11)
  t.match(refused, { status: 429, json: { code: 'too_many_attempts' }, headers: { 'retry-after': '1' } })
  t.equal((await ask('secret-admin', S, 'GET', '127.0.0.9')).status, 429, 'the right one from there has to wait, too')
  t.equal((await ask('secret-admin', S)).status, 200)
  t.equal((await ask(null, '/healthz', 'GET', '127.0.0.9')).status, 200)
  await until('it may call again', async () => (await ask('secret-admin', S, 'GET', '127.0.0.9')).status === 200)
})

t.test('who has no token at all is no guesser', async t => {
  const { ask } = await serve(t, { token: TOKENS })
  for (let each = 0; each < 30; each++) await ask(null, S, 'GET', '127.0.0.8')
  for (let each = 0; each < 30; each++) await ask('stale', S, 'GET', '127.0.0.8')
  t.equal((await ask('secret-admin', S, 'GET', '127.0.0.8')).status, 200)
})
