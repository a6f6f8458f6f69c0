import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { startAdmin } from '../../../src/admin/server.ts'
import { createClient } from '../../../src/client/client.ts'
import { readServerSentEvents } from '../../../src/client/server-sent-events.ts'
import type { EventView } from '../../../src/contracts/api/event.ts'
import type { OperationView } from '../../../src/contracts/api/operation.ts'
import { VipswapError } from '../../../src/core/errors.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { FakeController } from '../../integration/admin/fake-controller.ts'
import { until } from '../../support/until.ts'

const DIGEST = 'cd'.repeat(32)

async function fabric(t: Test, token?: string) {
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const options = { api, log: silentLogger(), ...(token === undefined ? {} : { token }) }
  let admin = await startAdmin({ ...options, port: 0 })
  const client = createClient({ url: admin.url, ...(token === undefined ? {} : { token }) })
  t.teardown(async () => {
    await client.close()
    await admin.close()
  })
  const { port } = admin
  return {
    api,
    client,
    url: admin.url,
    goAway: () => admin.close(),
    comeBack: async () => {
      admin = await startAdmin({ ...options, port })
    },
  }
}

t.test('every call reaches the controller as what it is', async t => {
  const { api, client } = await fabric(t, 's3cret')
  const last = () => api.commands.at(-1)
  t.match(await client.services(), [{ name: 'guestbook' }])
  t.match(await client.service('guestbook'), { name: 'guestbook' })
  t.match(await client.deployment('guestbook', 'staging'), { version: '1.5.0' })
  t.match(await client.nodes(), [{ name: 'node-0' }])
  t.equal(await client.metrics(), 'vipswap_up 1\n')
  t.match(await client.gc(), { removed: [/^abab/] })
  t.match(await client.uploadPackage(Readable.from([Buffer.alloc(10), Buffer.alloc(10)]), 'zip'), { name: 'guestbook' })
  t.match(api.uploads, [{ kind: 'zip', bytes: 20 }])

  t.strictSame(await client.swap('guestbook', {}, { idempotencyKey: 'k' }), { operationId: 'op-1' })
  t.match(last(), { command: { kind: 'swap' }, idempotencyKey: 'k' })
  await client.create('new one', 'staging', { package: DIGEST }).then(
    () => t.fail('a name with a space was taken'),
    (error: unknown) => t.match(error, { code: 'invalid_request' }),
  )
  await client.create('new', 'staging', { package: DIGEST })
  t.match(last(), { command: { kind: 'create', service: 'new', slot: 'staging' } })
  await client.upgrade('guestbook', 'production', { package: DIGEST, mode: 'manual' })
  t.match(last(), { command: { kind: 'upgrade', mode: 'manual' } })
  await client.changeUpgrade('guestbook', 'production', { mode: 'auto' })
  t.match(last(), { command: { kind: 'changeUpgrade', mode: 'auto' } })
  await client.walk('guestbook', 'production', { domain: 1 })
  t.match(last(), { command: { kind: 'walk', domain: 1 } })
  await client.rollback('guestbook', 'production')
  t.match(last(), { command: { kind: 'rollback' } })
  await client.configure('guestbook', 'production', { configuration: { roles: { web: { instances: 3 } } } })
  t.match(last(), { command: { kind: 'configure', configuration: { roles: { web: { instances: 3 } } } } })
  await client.setStatus('guestbook', 'production', { status: 'Suspended' })
  t.match(last(), { command: { kind: 'status', status: 'Suspended' } })
  await client.restart('reimage', 'guestbook', 'production', 'web_IN_1')
  t.match(last(), { command: { kind: 'reimage', instance: 'web_IN_1' } })
  await client.delete('guestbook', 'staging')
  t.match(last(), { command: { kind: 'delete', slot: 'staging' } })
  await client.deleteService('guestbook')
  t.match(last(), { command: { kind: 'deleteService' } })
  t.match(await client.plan('guestbook', 'production', { swap: {} }), { outcome: 'changes' })

  api.update('op-1', { status: 'Succeeded' })
  t.match(await client.operation('op-1'), { status: 'Succeeded' })
  t.match(await client.operations({ status: 'Succeeded' }), [{ id: 'op-1' }])
  t.match(await client.receipt('op-1'), { switchMs: 4.2 })
  let text = ''
  for await (const piece of client.logs('guestbook', 'production', 'web_IN_0')) text += piece
  t.equal(text, 'one\ntwo\n')
})

t.test('failures are errors one can act on', async t => {
  const { api, client, url } = await fabric(t)
  await t.test('a refusal keeps code, text and details', async t => {
    const blockers = [{ code: 'not_ready', message: 'no' }]
    api.refusal = new VipswapError('endpoint_mismatch', 'they differ', { blockers })
    await t.rejects(client.swap('guestbook'), {
      code: 'endpoint_mismatch',
      message: 'they differ',
      details: { blockers },
    })
  })
  await t.test('nobody there, somebody else there, a wrong token, a wrong address', async t => {
    const stranger: Server = createServer((_request, response) => response.end('<html>'))
    await new Promise<void>(resolve => stranger.listen(0, '127.0.0.1', resolve))
    const { port } = stranger.address() as AddressInfo
    const other = createClient({ url: `127.0.0.1:${port}` })
    await t.rejects(other.services(), { code: 'unreachable', message: /does not answer like vipswap/ })
    await new Promise(resolve => stranger.close(resolve))
    stranger.closeAllConnections()
    await t.rejects(other.services(), { code: 'unreachable', message: /vipswap up/ })
    t.match(await other.ready(), { ready: false, reason: /nothing listens/ })
    await other.close()
    t.throws(() => createClient({ url: 'ftp://x' }), { code: 'usage' })
    const { url: guarded } = await fabric(t, 'right')
    const wrong = createClient({ url: guarded, token: 'wrong' })
    await t.rejects(wrong.services(), { code: 'unauthorized' })
    await wrong.close()
  })
  await t.test('a controller that is not ready says why', async t => {
    api.isReady = { ready: false, reason: 'no proxy yet' }
    t.strictSame(await client.ready(), { ready: false, reason: 'no proxy yet' })
    api.isReady = { ready: true, reason: '' }
    t.match(await client.ready(), { ready: true })
  })
  t.ok(url)
})

t.test('following an operation', async t => {
  await t.test('tells each change and ends with it', async t => {
    const { api, client } = await fabric(t)
    const { operationId } = await client.swap('guestbook')
    const seen: OperationView[] = []
    const followed = client.follow(operationId, { onProgress: operation => seen.push(operation) })
    await until('the first view', () => seen.length === 1)
    api.update(operationId, { progress: { step: 'draining', percent: 50, message: '' } })
    await until('the second', () => seen.length === 2)
    api.update(operationId, { status: 'Succeeded' })
    t.match(await followed, { status: 'Succeeded' })
    t.strictSame(
      seen.map(each => [each.progress.step, each.status]),
      [
        ['preparing', 'InProgress'],
        ['draining', 'InProgress'],
        ['draining', 'Succeeded'],
      ],
    )
  })
  await t.test('goes on over a restart of the controller', async t => {
    const { api, client, goAway, comeBack } = await fabric(t)
    const { operationId } = await client.swap('guestbook')
    const away: (string | null)[] = []
    const followed = client.follow(operationId, { onAway: error => away.push(error?.code ?? null) })
    await goAway()
    await until('it noticed', () => away.length === 1)
    await comeBack()
    await until('it is back', () => away.length === 2)
    api.update(operationId, { status: 'Failed', error: { code: 'start_failed', message: 'no' } })
    t.match(await followed, { status: 'Failed' })
    t.strictSame(away, ['unreachable', null])
  })
  await t.test('ends with its time, its signal, or a controller that stays away', async t => {
    const { client, goAway } = await fabric(t)
    const { operationId } = await client.swap('guestbook')
    await t.rejects(client.follow(operationId, { timeoutMs: 30 }), {
      code: 'timed_out',
      details: { operation: operationId },
    })
    const end = new AbortController()
    const followed = client.follow(operationId, { signal: end.signal })
    end.abort()
    await t.rejects(followed, { code: 'cancelled' })
    await t.rejects(client.follow('op-77'), { code: 'operation_not_found' })
    await goAway()
    await t.rejects(client.follow(operationId, { awayMs: 50 }), { code: 'unreachable' })
  })
})

t.test('the timeline comes once and in order, over restarts', async t => {
  const { api, client, goAway, comeBack } = await fabric(t)
  api.emit('a')
  api.emit('b')
  const seen: EventView[] = []
  const end = new AbortController()
  const reading = (async () => {
    for await (const event of client.events({ follow: true, after: 1, signal: end.signal })) seen.push(event)
  })()
  await until('history', () => seen.length === 1)
  api.emit('c')
  await until('the new one', () => seen.length === 2)
  await goAway()
  api.emit('d')
  await comeBack()
  await until('what was missed', () => seen.length === 3)
  end.abort()
  await reading
  t.strictSame(
    seen.map(each => each.message),
    ['b', 'c', 'd'],
  )
  const all: number[] = []
  for await (const event of client.events()) all.push(event.seq)
  t.strictSame(all, [1, 2, 3, 4])
  await goAway()
  await t.rejects(client.events({ follow: true }).next(), { code: 'unreachable' })
})

t.test('server-sent events are read however they are cut', async t => {
  const text =
    ': hello\nretry: 5\n\nid: 1\nevent: note\ndata: {"é": 1}\n\r\nid:2\rdata: x\rdata:y\r\r\ndata\n\nid: 4\ndata: lost'
  const bytes = Buffer.from(text)
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
    const events = []
    for await (const event of readServerSentEvents(Readable.from(pieces))) events.push(event)
    t.strictSame(
      events,
      [
        { id: '1', event: 'note', data: '{"é": 1}' },
        { id: '2', event: 'message', data: 'x\ny' },
        { id: '2', event: 'message', data: '' },
      ],
      `pieces of ${size}`,
    )
  }
})
