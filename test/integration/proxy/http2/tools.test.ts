import { execFile, spawnSync } from 'node:child_process'
import { connect } from 'node:http2'
import { promisify } from 'node:util'
import t from 'tap'
import { until } from '../../../support/until.ts'
import { answering, ok, open, pool, startPlane, table, target, type Test } from '../support.ts'
import { fetchOn, h2Listener, h2Pool, startHttp2Origin } from './support.ts'
import { tlsFront } from './tls-front.ts'

const run = promisify(execFile)
const SIZE = 300_000

function missing(tool: string): string | false {
  return spawnSync(tool, ['--version']).status === 0 ? false : `no ${tool} here`
}

async function echoPlane(t: Test) {
  const origin = await startHttp2Origin(t, server =>
    server.on('stream', (stream, fields) => {
      stream.on('error', () => {})
      stream.respond({ ':status': 200, 'x-proto': String(fields['x-forwarded-proto']) })
      if (fields[':method'] === 'POST') stream.pipe(stream)
      else stream.end('hello')
    }),
  )
  return startPlane(t, table([h2Pool([target(origin)])], { listeners: [h2Listener()] }))
}

void t.test('over TLS, bodies and all', async t => {
  const { plane, rows } = await echoPlane(t)
  const front = await tlsFront(t, plane)
  const session = connect(`https://localhost:${front.port}`, { ca: front.ca })
  t.teardown(() => session.destroy())
  const hello = await fetchOn(session)
  t.same([hello.status, hello.body, hello.headers['x-proto']], [200, 'hello', 'https'])
  const body = Buffer.alloc(SIZE, 'abc')
  const echoes = await Promise.all(
    Array.from({ length: 20 }, async () => fetchOn(session, { ':method': 'POST' }, stream => stream.end(body))),
  )
  t.ok(echoes.every(echo => echo.body === body.toString()))
  t.equal(front.streams(), 0)

  // Two steps here too, under load: nothing that was opened is lost.
  let lost = 0
  let served = 0
  const load = Array.from({ length: 8 }, async () => {
    while (!session.closed) {
      const { status, code } = await fetchOn(session).catch(() => ({ status: 200, code: 0 }))
      if (status === 200 && code === 0) served++
      else lost++
    }
  })
  await until('it is under load', () => served > 50)
  for (const connection of front.connections) connection.closeIfIdle()
  await Promise.all(load)
  t.equal(lost, 0)
  await until('the connection is closed', () => front.connections.size === 0 && session.destroyed)
  const { arrived, answered } = rows()
  t.equal(arrived, answered)
  t.equal(open(plane), 0)
})

void t.test('curl', { skip: missing('curl') }, async t => {
  const { plane, port } = await echoPlane(t)
  const front = await tlsFront(t, plane)
  const write = ['-sS', '-w', '\n%{http_version} %{http_code}']
  const plain = await run('curl', [...write, '--http2-prior-knowledge', `http://127.0.0.1:${port}/`])
  t.equal(plain.stdout, 'hello\n2 200')
  const old = await run('curl', [...write, '--http1.1', `http://127.0.0.1:${port}/`])
  t.equal(old.stdout, 'hello\n1.1 200')
  // An upgrade to h2c by HTTP/1.1 is not taken up.
  const upgrade = await run('curl', [...write, '--http2', `http://127.0.0.1:${port}/`])
  t.equal(upgrade.stdout, 'hello\n1.1 200')
  const secure = await run('curl', [...write, '-k', '--http2', `https://127.0.0.1:${front.port}/`])
  t.equal(secure.stdout, 'hello\n2 200')
  const posted = await run('curl', [
    ...write,
    '-k',
    '--http2',
    '-d',
    'x'.repeat(100_000),
    `https://127.0.0.1:${front.port}/`,
  ])
  t.equal(posted.stdout, `${'x'.repeat(100_000)}\n2 200`)
})

void t.test('h2load, with swaps under way', { skip: missing('h2load') }, async t => {
  const pools = await Promise.all(
    ['old', 'new'].map(async name => {
      const origin = await answering(t, ok(name))
      return pool([target(origin, { version: name, key: name })], { deployment: name, key: name })
    }),
  )
  const old = table(pools, { listeners: [h2Listener({ pool: 'old' })] })
  const young = table(pools, { listeners: [h2Listener({ pool: 'new' })] })
  const { plane, port, rows } = await startPlane(t, old)
  const front = await tlsFront(t, plane)
  for (const url of [`http://127.0.0.1:${port}/`, `https://127.0.0.1:${front.port}/`]) {
    let swaps = 0
    const swapping = setInterval(() => plane.apply(swaps++ % 2 === 0 ? young : old), 20)
    const { stdout } = await run('h2load', ['-n', '5000', '-c', '8', '-m', '32', url])
    clearInterval(swapping)
    t.match(stdout, /5000 succeeded, 0 failed, 0 errored/)
    t.match(stdout, /5000 2xx/)
    t.ok(swaps > 3, `${swaps} swaps`)
  }
  await until('all is counted', () => open(plane) === 0)
  t.same([rows().arrived, rows().answered, rows().broken], [10_000, 10_000, {}])
})
