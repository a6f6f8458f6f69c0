import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import WebSocket from 'ws'
import { readPackage } from '../../../src/packages/read-package.ts'
import { EXAMPLES, startExample } from '../../support/example.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

/** A WebSocket with all it got, and how it was closed. */
async function open(t: Test, url: string) {
  const socket = new WebSocket(url.replace('http', 'ws'))
  const got: string[] = []
  let closed: number | null = null
  socket.on('message', (data: Buffer) => got.push(data.toString()))
  socket.on('close', code => {
    closed = code
  })
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  return { socket, got, closed: () => closed }
}

t.test('chat and crunch are packages that validate', async t => {
  for (const version of ['1.0.0', '1.1.0']) {
    const { release, warnings } = await readPackage(`${EXAMPLES}chat/${version}`)
    t.strictSame(warnings, [])
    t.match(release.definition, { name: 'chat', version })
  }
  const { release, warnings } = await readPackage(`${EXAMPLES}crunch/1.0.0`)
  t.match(warnings, [{ path: 'roles.store.instances' }])
  t.match(release.definition.roles, {
    web: { path: 'web', kind: 'web' },
    worker: { path: 'worker', kind: 'worker', endpoints: [], probe: { kind: 'process' } },
    store: { path: 'store', endpoints: [{ name: 'jobs', internal: true }] },
  })
})

for (const version of ['1.0.0', '1.1.0']) {
  t.test(`chat ${version} echoes and spreads messages`, async t => {
    const { url } = await startExample(t, `chat/${version}/server.js`)
    t.match(await (await fetch(url)).json(), { service: 'chat', version })
    t.ok((await (await fetch(url, { headers: { accept: 'text/html' } })).text()).includes(`Chat ${version}`))

    const echo = await open(t, `${url}/echo`)
    const messages = ['', 'a', 'é'.repeat(100), 'x'.repeat(65_535), 'x'.repeat(200_000)]
    for (const message of messages) echo.socket.send(message)
    await until('all are back', () => echo.got.length === messages.length)
    t.strictSame(echo.got, messages)
    echo.socket.send('in ', { fin: false })
    echo.socket.ping()
    echo.socket.send('parts', { fin: true })
    await Promise.all([once(echo.socket, 'pong'), until('the parts are back', () => echo.got.includes('in parts'))])

    const [ann, ben] = [await open(t, `${url}/chat`), await open(t, `${url}/chat`)]
    const events = await fetch(`${url}/events`)
    ann.socket.send('hello\nben')
    await until('both got it', () => ann.got.length === 1 && ben.got.length === 1)
    t.notOk(echo.got.includes('hello\nben'), 'an echo hears nobody else')
    const late = await open(t, `${url}/chat`)
    ben.socket.send('bye')
    await until('all got it', () => late.got.includes('bye'))
    t.strictSame(late.got, version === '1.1.0' ? ['hello\nben', 'bye'] : ['bye'])
    let streamed = ''
    for await (const chunk of events.body ?? []) {
      streamed += Buffer.from(chunk).toString()
      if (streamed.includes('bye')) break
    }
    t.match(
      streamed,
      /event: hello\ndata: \{"version".*\n\nevent: message\ndata: hello\ndata: ben\n\nevent: message\ndata: bye/,
    )
  })

  t.test(`chat ${version} closes properly`, async t => {
    const example = await startExample(t, `chat/${version}/server.js`)
    const { url, port } = example
    const one = await open(t, `${url}/echo`)
    one.socket.close(4321)
    await until('the close is answered', () => one.closed() === 4321)
    const big = await open(t, `${url}/echo`)
    big.socket.send('x'.repeat(1024 * 1024 + 1))
    await until('too long a message is refused', () => big.closed() === 1009)

    // An unmasked frame from a client is a protocol error (RFC 6455 section 5.1).
    const raw = connect(port, '127.0.0.1')
    raw.write(
      'GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    raw.write(Buffer.from([0x81, 0x01, 0x61]))
    const chunks: Buffer[] = []
    for await (const chunk of raw as AsyncIterable<Buffer>) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    t.ok(bytes.includes('s3pPLMBiTxaQ9kYGzzhZRbK+xOo='), "the accept key of the RFC's example")
    t.same([...bytes.subarray(-4)], [0x88, 0x02, 0x03, 0xea], 'close 1002')

    const last = await open(t, `${url}/chat`)
    t.equal(await example.stop(), 0)
    await until('who is still there is asked to come again', () => last.closed() === 1001)
  })
}

t.test('crunch: a worker without endpoints does the jobs that the web role takes', async t => {
  const folder = tempDir(t)
  const startStore = async (port = '0') =>
    startExample(t, 'crunch/1.0.0/store/server.js', { PORT: port, LOCAL_STORAGE_JOBS: folder })
  let store = await startStore()
  const env = { ENDPOINT_STORE_JOBS: `127.0.0.1:${store.port}`, SETTING_PAUSE_MS: '20' }
  const web = await startExample(t, 'crunch/1.0.0/web/server.js', env)
  t.match(await (await fetch(web.url)).json(), { service: 'crunch', version: '1.0.0' })
  t.ok((await (await fetch(web.url, { headers: { accept: 'text/html' } })).text()).includes('Crunch 1.0.0'))
  const post = async (upTo: unknown) => fetch(`${web.url}/jobs`, { method: 'POST', body: JSON.stringify({ upTo }) })
  const jobs = async () =>
    ((await (await fetch(`${web.url}/jobs`)).json()) as { jobs: { state: string; primes?: number }[] }).jobs
  t.equal((await post(100)).status, 201)
  t.equal((await post('many')).status, 400)
  t.match(await jobs(), [{ state: 'waiting' }])

  // It prints its first line when it has done a job, so that counts as its start.
  const worker = await startWorker(t, env)
  await until('the job is done', async () => (await jobs()).every(job => job.state === 'done'))
  t.match(await jobs(), [{ upTo: 100, primes: 25 }])

  const { port } = store
  t.equal(await store.stop(), 0)
  t.equal((await post(10)).status, 502, 'without a store the web role says so')
  t.ok(existsSync(join(folder, 'jobs.json')))
  store = await startStore(String(port))
  t.match(await jobs(), [{ primes: 25 }], 'the list is there again')
  await post(1000)
  await until('the worker went on', async () => (await jobs()).some(job => job.primes === 168))
  t.equal(await worker.stop(), 0)
  t.equal(await web.stop(), 0)
})

async function startWorker(t: Test, env: Record<string, string>) {
  return startExample(t, 'crunch/1.0.0/worker/worker.js', env)
}
