import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import type { Test } from 'tap'
import { Connection } from '../../../bench/load/connection.ts'
import { startLoad } from '../../../bench/load/load.ts'
import { now } from '../../../bench/load/now.ts'
import type { LoadPlan, Vip } from '../../../bench/load/plan.ts'
import { KINDS, Records } from '../../../bench/load/records.ts'
import type { RequestRecord } from '../../../bench/load/records.ts'
import { createMessage } from '../../../bench/load/requests.ts'
import { ResponseReader } from '../../../bench/load/response.ts'
import { losses, summarise } from '../../../bench/report/summary.ts'
import { makePackage } from '../../../bench/system/packages.ts'
import { descendants, expectGone } from '../../../bench/system/processes.ts'
import { readBootId } from '../../../src/core/clock.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

void t.test('an answer reads the same in one piece and byte by byte', async t => {
  const ok = 'HTTP/1.1 200 OK\r\n'
  const cases: [name: string, text: string, expected: string, outcome: 'intact' | 'broken' | 'open'][] = [
    ['with a length', `${ok}content-length: 5\r\nx-version: 1\r\n\r\nhello`, 'hello', 'intact'],
    ['chunked', `${ok}transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`, 'hello', 'intact'],
    ['with trailers', `${ok}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n`, 'hello', 'intact'],
    ['after an interim answer', `HTTP/1.1 100 Continue\r\n\r\n${ok}content-length: 5\r\n\r\nhello`, 'hello', 'intact'],
    ['empty', `${ok}content-length: 0\r\n\r\n`, '', 'intact'],
    ['without content', 'HTTP/1.1 204 No Content\r\n\r\n', '', 'intact'],
    ['to the end of the connection', `${ok}\r\nhello`, 'hello', 'intact'],
    ['with another body', `${ok}content-length: 5\r\n\r\nhellO`, 'hello', 'broken'],
    ['with a body too long', `${ok}content-length: 6\r\n\r\nhello!`, 'hello', 'broken'],
    ['with a body too short', `${ok}content-length: 4\r\n\r\nhell`, 'hello', 'broken'],
    ['with bytes behind it', `${ok}content-length: 5\r\n\r\nhelloH`, 'hello', 'broken'],
    ['with a bad chunk', `${ok}transfer-encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n`, 'hello', 'broken'],
    ['with two framings', `${ok}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n5\r\nhello`, 'hello', 'broken'],
    ['that is no HTTP', 'SSH-2.0\r\n\r\n', '', 'broken'],
    ['cut in its body', `${ok}content-length: 5\r\n\r\nhell`, 'hello', 'open'],
    ['cut before its last chunk', `${ok}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`, 'hello', 'open'],
    ['cut in its head', 'HTTP/1.1 200 OK\r\ncontent-le', '', 'open'],
  ]
  for (const [name, text, expected, outcome] of cases) {
    for (const size of [text.length, 1, 7]) {
      const reader = new ResponseReader(Buffer.from(expected))
      for (let at = 0; at < text.length; at += size) reader.feed(Buffer.from(text.slice(at, at + size)))
      reader.end()
      t.equal(reader.intact, outcome === 'intact', `${name}, by ${size}: intact`)
      t.equal(!reader.done, outcome === 'open', `${name}, by ${size}: open`)
    }
  }
  const closing = new ResponseReader()
  closing.feed(Buffer.from(`${ok}Connection: close\r\ncontent-length: 0\r\n\r\n`))
  t.notOk(closing.keepsConnection)
})

void t.test('records come out of their columns as they went in', async t => {
  const records = new Records()
  const all = Array.from({ length: 3000 }, (_, i): RequestRecord => ({
    vip: i % 2 ? 'production' : 'staging',
    kind: KINDS[i % KINDS.length] ?? 'get',
    loop: i % 3 ? 'open' : 'one-shot',
    outcome: i % 7 ? 'ok' : 'reset',
    status: i % 7 ? 200 : 0,
    version: `${i % 4}.0.0`,
    deployment: `d-${i % 5}`,
    startAt: i + 0.125,
    sentAt: i + 0.25,
    headAt: i + 0.5,
    doneAt: i + 0.75,
  }))
  for (const record of all) records.add(record)
  t.strictSame([...records], all)
  const copy = new Records()
  copy.addColumns(structuredClone(records.columns()))
  copy.addColumns(records.columns())
  t.equal(copy.length, 6000)
  t.strictSame(copy.at(4711), all[1711])
})

void t.test('whatever happens to a request is its outcome, and no request is sent twice', async t => {
  const cases: [what: string, serve: (socket: Socket, nonce: string) => void, outcome: string][] = [
    ['answered', (socket, nonce) => socket.write(answer('hi', nonce)), 'ok'],
    ['answered 503', (socket, nonce) => socket.write(answer('hi', nonce, '503 No')), 'status'],
    ["answered with another's answer", socket => socket.write(answer('hi', 'other')), 'corrupt'],
    ['answered by no HTTP', socket => socket.write('hello\r\n\r\n'), 'corrupt'],
    ['reset', socket => socket.resetAndDestroy(), 'reset'],
    ['closed without an answer', socket => socket.end(), 'reset'],
    ['cut in the head', socket => socket.end('HTTP/1.1 200'), 'short'],
    ['cut in the body', (socket, nonce) => socket.end(answer('hi', nonce).slice(0, -1)), 'short'],
    ['left alone', () => {}, 'timeout'],
  ]
  for (const [what, serve, outcome] of cases) {
    let asked = 0
    const vip = await listen(t, socket => {
      socket.on('data', chunk => {
        asked += 1
        serve(socket, /x-nonce: (\S+)/.exec(chunk.toString())?.[1] ?? '')
      })
    })
    const connection = new Connection(vip, 150)
    const before = now()
    const found = await connection.request(createMessage('get', 'x', false))
    t.equal(found.outcome, outcome, what)
    t.equal(asked, 1, `${what}: asked once`)
    t.equal(connection.usable, outcome === 'ok' || outcome === 'status', `${what}: connection`)
    t.ok(found.sentAt >= before && found.doneAt >= found.sentAt)
    t.equal(found.headAt > 0, ['ok', 'status'].includes(outcome) || found.status === 200, `${what}: head`)
    connection.close()
  }
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = addressOf(gone.address())
  gone.close()
  await once(gone, 'close')
  const refused = await new Connection({ host: '127.0.0.1', port }, 1000).request(createMessage('get', 'x', false))
  t.equal(refused.outcome, 'refused')
})

void t.test('a connection that its peer closes while idle is not used again, and costs no request', async t => {
  const vip = await listen(t, socket => {
    socket.on('data', chunk => {
      socket.write(answer('hi', /x-nonce: (\S+)/.exec(chunk.toString())?.[1] ?? ''))
      socket.end()
    })
  })
  const connection = new Connection(vip, 1000)
  t.equal((await connection.request(createMessage('get', 'x', false))).outcome, 'ok')
  await until('the connection is not usable', () => !connection.usable)
})

void t.test('the load loses nothing on a sound way, and every fault on a bad one shows', async t => {
  const folder = tempDir(t)
  const one = await startRole(t, join(folder, '1'), 1)
  const two = await startRole(t, join(folder, '2'), 2)
  const way = await forwarder(t, one.port)
  const other = await forwarder(t, two.port)
  const vips = [
    { name: 'production', ...way.address },
    { name: 'staging', ...other.address },
  ]
  const sound = startLoad(smallPlan(vips))
  t.teardown(() => sound.terminate())
  await until('some connections', () => way.connections() > 10)
  way.target = two.port
  await until('many more', () => way.connections() > 30)
  const beganAt = 0
  const result = await sound.stop()
  const phases = [{ name: 'all', from: beganAt, to: Infinity, socketsMayClose: false }]
  t.strictSame(losses(result, phases), [])
  const rows = summarise(result.records, phases)
  const count = (pick: (row: (typeof rows)[number]) => boolean): number =>
    rows.filter(pick).reduce((sum, row) => sum + row.count, 0)
  for (const kind of KINDS) t.ok(count(row => row.load.startsWith(`${kind} `)) > 0, kind)
  for (const loop of ['keep-alive', 'one-shot', 'open']) t.ok(count(row => row.load.endsWith(loop)) > 0, loop)
  t.ok(rows.some(row => row.vip === 'production' && row.versions['1.0.0'] && row.versions['2.0.0']))
  t.strictSame(Object.keys(rows.find(row => row.vip === 'staging')?.versions ?? {}), ['2.0.0'])
  t.ok(result.webSockets.echoed > 0)
  t.equal(result.webSockets.corrupt, 0)
  const slow = rows.find(row => row.load === 'slow keep-alive')
  t.ok((slow?.p50 ?? 0) >= 190, `slow answers took ${slow?.p50} ms`)

  // By the role's count: once many answers later were read, the WebSocket is open at the client too.
  way.target = one.port
  const sockets = one.asked('/socket')
  const bad = startLoad(smallPlan(vips))
  t.teardown(() => bad.terminate())
  await until('the WebSocket has arrived', () => one.asked('/socket') > sockets)
  const pages = one.asked('/')
  await until('many more requests', () => one.asked('/') > pages + 40)
  way.cut()
  const after = one.asked('/')
  await until('requests again', () => one.asked('/') > after + 10)
  const found = losses(await bad.stop(), phases).join('\n')
  t.match(found, / on production in all: (reset|short)/)
  t.match(found, /WebSocket on production in all: cut without a close frame/)
  t.notMatch(found, /staging/)
})

void t.test('the role ends in order: it finishes its answers and closes WebSockets by a frame', async t => {
  const role = await startRole(t, join(tempDir(t), '1'), 1)
  const vip = { name: 'production', host: '127.0.0.1', port: role.port }
  const load = startLoad({ ...smallPlan([vip]), closed: [], open: [] })
  t.teardown(() => load.terminate())
  const slow = new Connection(vip, 5000)
  const answered = slow.request(createMessage('slow', 'x', false))
  await until('both have arrived', () => role.asked('/socket') + role.asked('/slow?ms=200') === 2)
  const exited = once(role.child, 'exit')
  role.child.kill('SIGTERM')
  t.equal((await answered).outcome, 'ok')
  t.strictSame((await exited)[0], 0)
  const { webSockets } = await load.stop()
  t.equal(webSockets.closes[0]?.code, 1001)
})

void t.test('what descends from a process is found, and what outlives it is told and ended', async t => {
  const parent = spawn('sh', ['-c', 'sleep 61 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [line] = await once(createInterface({ input: parent.stdout }), 'line')
  const family = descendants(parent.pid ?? 0)
  t.match(family, [{ pid: Number(line), command: 'sleep 61' }])
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  t.match(await expectGone(family, 50), [{ pid: Number(line) }])
  t.strictSame(await expectGone(family, 1000), [])
  t.strictSame(
    await expectGone([{ pid: process.pid, startTime: '1', bootId: readBootId(), command: '' }], 0),
    [],
    'a reused pid is spared',
  )
})

function smallPlan(vips: readonly Vip[]): LoadPlan {
  return {
    vips,
    closed: [
      { kinds: ['get', 'post', 'chunked'], connections: 2, thinkMs: 5, oneShot: false },
      { kinds: ['get', 'post'], connections: 1, thinkMs: 10, oneShot: true },
      { kinds: ['slow'], connections: 1, thinkMs: 0, oneShot: false },
    ],
    open: [{ kinds: ['get', 'post'], perSecond: 50 }],
    webSockets: { connections: 1, intervalMs: 10 },
    timeoutMs: 5000,
  }
}

function answer(body: string, nonce: string, status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\nx-nonce: ${nonce}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

function addressOf(address: string | AddressInfo | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('not listening')
  return address
}

async function listen(t: Test, serve: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    serve(socket)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { host: '127.0.0.1', port: addressOf(server.address()).port }
}

/** Passes bytes on to `target`, new connections to the newest. */
async function forwarder(
  t: Test,
  first: number,
): Promise<{ address: { host: string; port: number }; target: number; connections: () => number; cut: () => void }> {
  const live = new Set<Socket>()
  let connections = 0
  const state = { target: first }
  const address = await listen(t, socket => {
    connections += 1
    live.add(socket)
    socket.on('close', () => live.delete(socket))
    const upstream = connect(state.target, '127.0.0.1')
    upstream.on('error', () => socket.destroy())
    socket.on('close', () => upstream.destroy())
    socket.pipe(upstream).pipe(socket)
  })
  return Object.assign(state, {
    address,
    connections: () => connections,
    cut: () => {
      for (const socket of live) socket.resetAndDestroy()
    },
  })
}

async function startRole(
  t: Test,
  folder: string,
  version: number,
): Promise<{ port: number; child: ReturnType<typeof spawn>; asked: (path: string) => number }> {
  makePackage(folder, version, 8080)
  const child = spawn(process.execPath, ['server.mjs'], {
    cwd: folder,
    env: { TELL: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let port = 0
  const asked = new Map<string, number>()
  const lines = createInterface({ input: child.stdout })
  lines.on('line', line => {
    if (line.startsWith('listening ')) port = Number(line.slice(10))
    else asked.set(line.slice(6), (asked.get(line.slice(6)) ?? 0) + 1)
  })
  await until('the role listens', () => port)
  return { port, child, asked: path => asked.get(path) ?? 0 }
}
