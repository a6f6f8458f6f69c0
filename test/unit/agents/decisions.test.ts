import { spawn } from 'node:child_process'
import t from 'tap'
import { judgeAssignment, decideStep, type InstanceSituation, type Step } from '../../../agents/reconciler.ts'
import { FRESH_RESTARTS, decideRestart, type RestartState } from '../../../agents/restart-policy.ts'
import { trackProbe, type Health } from '../../../agents/prober.ts'
import { describeStatus, readExit, startKeeper } from '../../../agents/keeper.ts'
import { findKeepers } from '../../../agents/process-table.ts'
import { readProcess } from '../../../src/core/process-identity.ts'
import { KeptProcess } from '../../../agents/kept-process.ts'
import { lockFile } from '../../../src/core/lock-file.ts'
import { PortAllocator } from '../../../agents/ports.ts'
import { probeOnce } from '../../../agents/probe.ts'
import { portOwner } from '../../../agents/sockets.ts'
import type { Assignment } from '../../../src/contracts/assignment.ts'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

t.test('the next step of an instance follows from what is wanted and what runs', t => {
  const run = (incarnation: number) => ({ incarnation, desired: 'run' }) as const
  const stop = (incarnation: number) => ({ incarnation, desired: 'stop' }) as const
  const live = (incarnation: number, expired = false) => ({ incarnation, expired })
  const rest = (stopped: boolean): Step => ({ kind: 'rest', stopped })
  const halt = (reason: Extract<Step, { kind: 'stop' }>['reason']): Step => ({ kind: 'stop', reason })
  const table: [string, Partial<InstanceSituation>, Step][] = [
    ['wanted and not there: start', { wanted: run(1) }, { kind: 'start' }],
    ['wanted, its back-off not over: wait', { wanted: run(1), delayMs: 70 }, { kind: 'wait', ms: 70 }],
    ['running as wanted: leave it', { wanted: run(1), running: live(1) }, rest(false)],
    ['a higher incarnation: stop the old one first', { wanted: run(2), running: live(1) }, halt('replaced')],
    ['a lower incarnation than runs: leave it', { wanted: run(1), running: live(2) }, rest(false)],
    ['asked to stop', { wanted: stop(1), running: live(1) }, halt('asked')],
    ['stopped as asked', { wanted: stop(1) }, rest(true)],
    ['no longer assigned, running: stop', { wanted: null, running: live(1) }, halt('removed')],
    ['no longer assigned, stopped: remove', { wanted: null }, { kind: 'remove' }],
    ['not told yet, running: silence stops nothing', { running: live(1) }, rest(false)],
    ['not told yet, not running: nothing', {}, rest(true)],
    ['not ready in time: stop', { wanted: run(1), running: live(1, true) }, halt('start-timeout')],
    ['the node stops, running', { wanted: run(1), running: live(1), stopAll: true }, halt('node-stopping')],
    ['the node stops, not running: start nothing', { wanted: run(1), stopAll: true }, rest(true)],
    ['the node stops, not assigned: keep the folders for later', { wanted: null, stopAll: true }, rest(true)],
  ]
  for (const [name, part, step] of table) {
    const situation = { wanted: undefined, running: null, stopAll: false, delayMs: 0, ...part }
    t.same(decideStep(situation), step, name)
  }
  t.end()
})

t.test('only newer or equal words of the own fabric for the own node are applied', t => {
  const assignment = (fabric: string, node: string, term: number, n: number): Assignment => ({
    fabric,
    node,
    revision: { term, n },
    instances: [],
    packages: [],
    portRange: { from: 1, to: 2 },
  })
  const known = { node: 'n1', fabric: 'f', applied: { term: 2, n: 5 } }
  const verdict = (
    fabric: string,
    node: string,
    term: number,
    n: number,
    of: Parameters<typeof judgeAssignment>[0] = known,
  ) => judgeAssignment(of, assignment(fabric, node, term, n)).kind
  t.equal(verdict('f', 'n1', 2, 6), 'apply')
  t.equal(verdict('f', 'n1', 2, 5), 'apply')
  t.equal(verdict('f', 'n1', 3, 0), 'apply')
  t.equal(verdict('f', 'n1', 2, 4), 'older')
  t.equal(verdict('f', 'n1', 1, 99), 'older')
  t.equal(verdict('g', 'n1', 9, 9), 'foreign')
  t.equal(verdict('f', 'n2', 9, 9), 'foreign')
  t.equal(verdict('g', 'n1', 1, 1, { node: 'n1', fabric: null, applied: null }), 'apply')
  t.end()
})

t.test('restarts back off from 100 ms to 30 s, cycle after three deaths, and forget after a stable time', t => {
  let state: RestartState = FRESH_RESTARTS
  const delays: number[] = []
  const cycling: boolean[] = []
  for (let n = 0; n < 11; n += 1) {
    const decision = decideRestart(state, { now: n * 1000, readyForMs: 0, random: 1 })
    state = decision.state
    delays.push(decision.delayMs)
    cycling.push(decision.cycling)
  }
  t.same(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
  t.same(cycling.slice(0, 4), [false, false, true, true])
  const after = decideRestart(state, { now: 60_000, readyForMs: 30_000, random: 1 })
  t.same([after.delayMs, after.cycling], [100, false])
  const short = decideRestart(state, { now: 60_000, readyForMs: 29_999, random: 0 })
  t.same([short.delayMs, short.cycling], [15_000, true], 'chance takes off half at most')
  const rare = [0, 400_000, 800_000].reduce(
    (decision, now) => decideRestart(decision.state, { now, readyForMs: 0, random: 1 }),
    { state: FRESH_RESTARTS, delayMs: 0, cycling: false },
  )
  t.notOk(rare.cycling, 'deaths far apart are no loop')
  t.end()
})

t.test('probe results in a row change the health, single ones do not', t => {
  const bounds = { healthy: 2, unhealthy: 3 }
  const walk = (text: string): Health[] => {
    let track = { health: 'starting' as Health, against: 0 }
    return text.split('').map(letter => {
      track = trackProbe(track, letter === '+', bounds)
      return track.health
    })
  }
  t.same(walk('-+-+'), ['starting', 'starting', 'starting', 'starting'])
  t.same(walk('++--+---'), ['starting', ...Array.from({ length: 6 }, () => 'ready'), 'unresponsive'])
  t.same(walk('++---+-++').slice(-5), ['unresponsive', 'unresponsive', 'unresponsive', 'unresponsive', 'ready'])
  t.end()
})

t.test("a shell's status is told as a status or a signal", t => {
  t.equal(describeStatus(0).text, 'exited with status 0')
  t.equal(describeStatus(3).code, 3)
  t.equal(describeStatus(127).text, 'exited with status 127 (command not found)')
  t.same(describeStatus(137), { code: null, signal: 'SIGKILL', text: 'killed by SIGKILL' })
  t.equal(describeStatus(255).text, 'exited with status 255')
  t.end()
})

t.test('a keeper starts nothing before its pid is on record, and leaves with an agent that dies first', async t => {
  const directory = tempDir(t)
  const options = (name: string) => ({
    command: `touch ${name}`,
    cwd: directory,
    env: { PATH: '/usr/bin:/bin' },
    output: join(directory, 'log'),
    exitFile: join(directory, `exit-${name}`),
    token: name,
    openFiles: null,
    confine: (words: readonly string[]) => words,
  })
  const orphan = await startKeeper(options('orphan'))
  // Keepers do not keep their agent alive, but this test waits for them.
  orphan.child.ref()
  orphan.child.stdin?.destroy()
  await once(orphan.child, 'exit')
  t.notOk(existsSync(join(directory, 'orphan')))
  t.equal(readExit(join(directory, 'exit-orphan')), null)

  const told = await startKeeper(options('told'))
  told.child.ref()
  t.same(
    findKeepers(directory).map(({ pid, token }) => ({ pid, token })),
    [{ pid: told.pid, token: 'told' }],
  )
  t.notOk(existsSync(join(directory, 'told')))
  told.go()
  await once(told.child, 'exit')
  t.ok(existsSync(join(directory, 'told')))
  t.equal(readExit(join(directory, 'exit-told'))?.code, 0)
})

t.test('a process that has the number of one that is gone gets no signal', async t => {
  const stranger = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
  const gone = once(stranger, 'exit')
  t.teardown(async () => {
    stranger.kill('SIGKILL')
    await gone
  })
  await once(stranger, 'spawn')
  const { pid = 0 } = stranger
  const exitFile = join(tempDir(t), 'exit')
  const kept = KeptProcess.ofChild({ pid, startTime: '1', exitFile }, stranger)
  t.match(await kept.stop(0), { killed: false })
  t.match(await KeptProcess.adopt({ pid, startTime: '1', exitFile }).ended, { killed: false })
  t.equal(stranger.signalCode, null)
  t.ok(readProcess(pid)?.alive)
})

t.test('one agent holds a node; a lock of who is gone is taken over', async t => {
  const path = join(tempDir(t), 'lock')
  const unlock = await lockFile(path, 'another')
  const mine = JSON.parse(readFileSync(path, 'utf8'))
  await t.rejects(lockFile(path, 'another'), { code: 'already_running' })
  unlock()
  t.notOk(existsSync(path))
  for (const gone of [{ ...mine, startTime: '1' }, { ...mine, bootId: 'another' }, 'damaged']) {
    writeFileSync(path, JSON.stringify(gone))
    const last = await lockFile(path, 'another')
    await t.rejects(lockFile(path, 'another'), { code: 'already_running' })
    last()
  }
})

t.test('a probe says what it met', async t => {
  const server = createHttpServer((request, response) => {
    if (request.url === '/slow') return
    const status = Number(request.url?.slice(1))
    response.writeHead(status, { location: '/' }).end(status === 503 ? 'warming\nup' : '')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.closeAllConnections())
  const address = server.address()
  const ports = { http: typeof address === 'object' ? (address?.port ?? 0) : 0 }
  const clock = { intervalMs: 100, timeoutMs: 30_000, healthy: 1, unhealthy: 1, endpoint: 'http' }
  const ask = async (path: string, timeoutMs = clock.timeoutMs) =>
    probeOnce({ kind: 'http', path, ...clock, timeoutMs }, '127.0.0.1', ports)
  t.same(await ask('/200'), { ok: true, detail: 'HTTP 200' })
  t.same(await ask('/302'), { ok: true, detail: 'HTTP 302' })
  t.same(await ask('/404'), { ok: false, detail: 'HTTP 404' })
  t.same(await ask('/503'), { ok: false, detail: 'HTTP 503: warming up' })
  t.same(await ask('/slow', 150), { ok: false, detail: 'no answer within 150 ms' })
  t.ok((await probeOnce({ kind: 'tcp', ...clock }, '127.0.0.1', ports)).ok)
  t.notOk((await probeOnce({ kind: 'tcp', ...clock, endpoint: 'other' }, '127.0.0.1', ports)).ok)
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
  t.match((await ask('/200')).detail, /ECONNREFUSED/)
  t.match((await probeOnce({ kind: 'tcp', ...clock }, '127.0.0.1', ports)).detail, /ECONNREFUSED/)
})

t.test('a probe asks an instance in the version of HTTP it speaks', async t => {
  const server = createHttp2Server((request, response) => {
    if (request.url === '/slow') return
    response.writeHead(Number(request.url.slice(1))).end('as asked')
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const ports = { http: typeof address === 'object' ? (address?.port ?? 0) : 0 }
  const clock = { intervalMs: 100, timeoutMs: 30_000, healthy: 1, unhealthy: 1, endpoint: 'http' }
  const ask = async (path: string, backend: 'h1' | 'h2c', timeoutMs = clock.timeoutMs) =>
    probeOnce({ kind: 'http', path, ...clock, timeoutMs }, '127.0.0.1', ports, backend)
  t.same(await ask('/200', 'h2c'), { ok: true, detail: 'HTTP 200' })
  t.same(await ask('/503', 'h2c'), { ok: false, detail: 'HTTP 503: as asked' })
  t.same(await ask('/slow', 'h2c', 300), { ok: false, detail: 'no answer within 300 ms' })
  t.notOk((await ask('/200', 'h1')).ok, 'it does not answer HTTP/1.1')
  await until('each probe has closed its connection', () => sockets.size === 0)
})

t.test('ports go round, pass by what is taken, and the cursor survives', async t => {
  const file = join(tempDir(t), 'ports.json')
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const address = taken.address()
  const middle = typeof address === 'object' ? (address?.port ?? 0) : 0
  const range = { from: middle - 1, to: middle + 20 }
  writeFileSync(file, JSON.stringify({ next: middle - 1 }))
  const options = { file, host: '127.0.0.1', range }
  const [[first], [second]] = await Promise.all([
    new PortAllocator(options).allocate(1),
    new PortAllocator({ ...options, file: `${file}2` }).allocate(1),
  ])
  t.ok(first && second && first !== middle && second !== middle)
  const ports = new PortAllocator(options)
  const [a, b] = await Promise.all([ports.allocate(1), ports.allocate(1)])
  t.not(a[0], b[0], 'two at once get two')
  t.not(a[0], first, 'an earlier agent is remembered')
  await t.rejects(ports.allocate(22), { code: 'internal' })
})

t.test('who listens on a port is told by its socket', { skip: process.platform !== 'linux' }, async t => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  t.equal(portOwner(port, [process.pid]), 'owned')
  t.equal(portOwner(port, [process.ppid]), 'stranger')
  t.equal(portOwner(port, []), 'stranger')
  server.close()
  await once(server, 'close')
  t.equal(portOwner(port, [process.pid]), 'none')
})
