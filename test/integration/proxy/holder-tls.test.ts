import { join } from 'node:path'
import t from 'tap'
import { bindTcp } from '../../../proxy/holder/bind.ts'
import { BoundListeners } from '../../../proxy/holder/bound-listeners.ts'
import { RetriedWrites } from '../../../proxy/holder/retried-writes.ts'
import { WorkerPool } from '../../../proxy/holder/worker-pool.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { tempDir } from '../../support/temp.ts'
import { answering, isWhole, ok, pool, statusOf, table, target } from './support.ts'
import { get, httpsListener, serverCertificate, tlsClient, withCertificates } from './tls-support.ts'

const ADDRESS = '127.0.0.1:1'
// Workers take it over.
process.env['VIPSWAP_LOG'] ??= 'silent'

void t.test('a session is resumed with whichever worker takes the next connection', async t => {
  const certificate = await serverCertificate(['app.localhost'])
  const origin = await answering(t, ok('hello'))
  const bound = await bindTcp('127.0.0.1', 0)
  const workers = new WorkerPool(
    {
      handles: () => [[ADDRESS, bound.handle]],
      onStatus: () => {},
      onMoved: () => {},
      onListenFailed: (_address, code) => t.fail(code),
      onProcesses: () => {},
    },
    '/nowhere/access.log',
    silentLogger(),
  )
  workers.start(2)
  t.teardown(async () => {
    bound.close()
    await workers.stop(0)
  })
  const served = withCertificates(table([pool([target(origin)])], { listeners: [httpsListener([certificate])] }), [
    certificate,
  ])
  await workers.apply(served)
  const first = await tlsClient(t, bound.port)
  let session: Buffer | undefined
  first.socket.on('session', ticket => {
    session = ticket
  })
  first.send(get('app.localhost'))
  t.equal(statusOf(await first.until(isWhole)), 200)
  // While all of these are open the system spreads them over both workers.
  const others = []
  for (let n = 0; n < 16; n++) {
    const client = await tlsClient(t, bound.port, session === undefined ? {} : { session })
    client.send(get('app.localhost'))
    t.equal(statusOf(await client.until(isWhole)), 200)
    t.ok(client.socket.isSessionReused())
    others.push(client)
  }
  for (const client of [first, ...others]) client.socket.destroy()
})

void t.test('a certificate that cannot be used is reported for its listener only', async t => {
  const [good, other] = await Promise.all([serverCertificate(['a.test']), serverCertificate(['b.test'])])
  const bad = { ...other, inTable: { ...other.inTable, key: good.inTable.key } }
  const writes = new RetriedWrites(silentLogger())
  const listeners = new BoundListeners(join(tempDir(t), 'ports.json'), writes, () => {})
  t.teardown(() => listeners.close())
  const on = (key: string, certificate: typeof good): ReturnType<typeof httpsListener> =>
    httpsListener([certificate], { key, port: 0 })
  await listeners.follow(withCertificates(table([], { listeners: [on('good', good), on('bad', bad)] }), [good, bad]))
  t.equal([...listeners.handles()].length, 2, 'both are bound: the others of an address must be served')
  const [first, second] = listeners.status()
  t.match(first, { key: 'good', error: null })
  t.match(second, { key: 'bad', port: null, error: /^certificate [0-9a-f]{64}: .*key values mismatch/ })
})
