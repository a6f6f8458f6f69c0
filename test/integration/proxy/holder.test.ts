import { existsSync, mkdirSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import type { PlaneMetricName } from '../../../src/contracts/plane-metrics.ts'
import { DEFAULT_POLICY, type RoutingTable } from '../../../src/contracts/routing.ts'
import { identify } from '../../../src/core/process-identity.ts'
import { WorkerProcess } from '../../../proxy/holder/worker-process.ts'
import { until } from '../../support/until.ts'
import { folders, free, GET, portIn, startController, startProxy } from './holder-support.ts'
import {
  answering,
  ask,
  isWhole,
  listener,
  ok,
  pool,
  rawClient,
  startOrigin,
  statusOf,
  table,
  target,
} from './support.ts'

void t.test('a table is applied, kept on disk and acknowledged; older and foreign ones are refused', async t => {
  const dirs = folders(t)
  const origin = await answering(t, ok('one'))
  const first = table([pool([target(origin)])], { listeners: [free()], n: 1000 })
  const controller = await startController(t, dirs.run, first)
  startProxy(t, dirs)
  const ack = await controller.acked(first)
  t.match(controller.hellos[0], { peer: 'proxy', id: 'proxy-0', applied: null, predecessors: [] })
  t.equal(ack.status.ledger.incarnation, controller.hellos[0]?.incarnation)
  t.match(await ask(t, portIn(ack), GET), /one$/)
  const path = join(dirs.data, 'proxy', 'proxy-0', 'table.json')
  t.same(JSON.parse(readFileSync(path, 'utf8')), first)

  controller.push(table([], { n: 999 }))
  controller.push(table([], { n: 2000, fabric: 'another' }))
  await until('both are refused', () => controller.messages.filter(message => message.type === 'refused').length === 2)
  for (const message of controller.messages) {
    if (message.type === 'refused') t.same(message.applied, first.revision)
  }
  t.same(JSON.parse(readFileSync(path, 'utf8')), first)
  t.match(await ask(t, portIn(ack), GET), /one$/)

  const second = table([pool([], { expecting: false })], { listeners: [free()], n: 1001 })
  controller.push(second)
  t.equal(portIn(await controller.acked(second)), portIn(ack), 'the port stays')
  t.equal(statusOf(await ask(t, portIn(ack), GET)), 503)
  await until('the counts arrive', () => {
    const status = controller.messages.findLast(message => message.type === 'status')
    return status?.type === 'status' && status.status.ledger.rows.reduce((sum, row) => sum + row.arrived, 0) === 3
  })
})

void t.test('a disk that refuses ends nobody: served on, acknowledged once written', async t => {
  const dirs = folders(t)
  const a = await answering(t, ok('A'))
  const b = await answering(t, ok('B'))
  const first = table([pool([target(a)])], { listeners: [free()] })
  const controller = await startController(t, dirs.run, first)
  const proxy = startProxy(t, dirs)
  const port = portIn(await controller.acked(first))
  const files = ['table', 'state', 'ports'].map(name => join(dirs.data, 'proxy', 'proxy-0', `${name}.json`))
  const [worker = 0] = proxy.workers()
  for (const path of files) {
    rmSync(path)
    mkdirSync(path)
  }
  const second = table([pool([target(b)])], { listeners: [free(), free(1)] })
  controller.push(second)
  await until('it is served', async () => (await ask(t, port, GET)).endsWith('B'))
  process.kill(worker, 'SIGKILL')
  await until(
    'the next worker serves',
    async () => identify(worker) === null && (await ask(t, port, GET)).endsWith('B'),
  )
  t.notOk(
    controller.messages.some(message => message.type === 'ack' && message.revision.n === second.revision.n),
    'not acknowledged',
  )
  for (const path of files) rmdirSync(path)
  const ack = await controller.acked(second)
  t.equal(portIn(ack), port)
  t.equal(ack.listeners[1]?.error, null)
  t.same(JSON.parse(readFileSync(files[0] ?? '', 'utf8')), second)
  await until('its processes are written down', () => proxy.workers().some(pid => pid !== worker))
})

void t.test('a worker that cannot be started counts as one that died', async t => {
  const exits: (number | null)[] = []
  const events = {
    onReady: () => {},
    onMoved: () => {},
    onMessage: () => {},
    onForgotten: () => {},
    onExit: (worker: WorkerProcess) => exits.push(worker.pid),
  }
  const worker = new WorkerProcess(events, 1, '/nowhere/access.log', '/nowhere/node')
  await until('it is told', () => exits.length > 0)
  t.same(exits, [null])
  await worker.sync()
  t.ok(worker.gone)
})

void t.test('a second holder of one proxy leaves at once, and the first serves on', async t => {
  const dirs = folders(t)
  const first = table([pool([target(await answering(t, ok('x')))])], { listeners: [free()] })
  const controller = await startController(t, dirs.run, first)
  const proxy = startProxy(t, dirs)
  const port = portIn(await controller.acked(first))
  const before = proxy.workers()
  t.equal(await startProxy(t, dirs).exited, 1)
  t.same(proxy.workers(), before)
  t.equal(controller.hellos.length, 1)
  t.match(await ask(t, port, GET), /x$/)
})

void t.test('short of descriptors it lets new connections wait, and closes none', async t => {
  const dirs = folders(t)
  const origin = await answering(t, ok('x'))
  const first = table([pool([target(origin)])], { listeners: [free()] })
  const controller = await startController(t, dirs.run, first)
  startProxy(t, dirs, 1, 'ulimit -n 100; ')
  const port = portIn(await controller.acked(first))
  const clients = await Promise.all(Array.from({ length: 120 }, async () => rawClient(t, port, GET)))
  let waiting = clients
  let rounds = 0
  while (waiting.length > 0) {
    rounds++
    const served = await until('some are answered', () => {
      const now = waiting.filter(client => isWhole(client.text))
      return now.length > 0 ? now : null
    })
    // They go on although there is no room for others.
    for (const client of served) {
      client.text = ''
      client.send(GET)
      t.equal(statusOf(await client.until(isWhole)), 200)
      client.socket.destroy()
    }
    waiting = waiting.filter(client => !served.includes(client))
    t.equal(waiting.filter(client => client.closed || client.ended).length, 0)
  }
  t.ok(rounds > 1, 'not all were served at once')
  t.match(await ask(t, port, GET), /x$/)
})

void t.test('a count that reaches zero on a draining target is told at once', async t => {
  const dirs = folders(t)
  let answer = (): void => {}
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    answer = () => socket.write(ok('x'))
  })
  const one = target(origin)
  const first = table([pool([one])], { listeners: [free()] })
  const controller = await startController(t, dirs.run, first)
  startProxy(t, dirs)
  const port = portIn(await controller.acked(first))
  const client = await rawClient(t, port, GET)
  await until('it is in flight', () => origin.sockets.length === 1)
  const draining = table([pool([{ ...one, state: 'draining', drainMs: 20_000 }])], { listeners: [free()] })
  controller.push(draining)
  t.same((await controller.acked(draining)).status.inFlight, { [one.key]: 1 })
  const before = controller.messages.length
  answer()
  await client.until(isWhole)
  await until('zero is told', () =>
    controller.messages
      .slice(before)
      .some(message => message.type === 'status' && Object.keys(message.status.inFlight).length === 0),
  )
})

void t.test('a port in use is reported, tried again, and acknowledged once it is free', async t => {
  const dirs = folders(t)
  const blocker: Server = createTcpServer()
  await new Promise<void>(resolve => {
    blocker.listen(0, '127.0.0.1', resolve)
  })
  const { port } = blocker.address() as AddressInfo
  const origin = await answering(t, ok('x'))
  const only = table([pool([target(origin)])], { listeners: [listener({ port })] })
  const controller = await startController(t, dirs.run, only)
  startProxy(t, dirs)
  const ack = await controller.acked(only)
  t.same(ack.listeners, [
    { key: 'app/production/web/http', port: null, error: `EADDRINUSE: 127.0.0.1:${port} is in use` },
  ])
  blocker.close()
  await until('it is bound', async () => (await controller.acked(only)).listeners[0]?.port === port)
  t.match(await ask(t, port, GET), /x$/)

  const none = table([], { listeners: [] })
  controller.push(none)
  t.same((await controller.acked(none)).listeners, [])
  const late = await rawClient(t, port)
  await until('nobody listens', () => late.closed)
})

for (const workers of [1, 3]) {
  void t.test(`killing workers refuses no connection (${workers} at work)`, async t => {
    const dirs = folders(t)
    const origin = await answering(t, ok('x', 'Connection: close\r\n'))
    const hanging = await startOrigin(t, () => {})
    const first = table([pool([target(origin)]), pool([target(hanging)], { key: 'slow', deployment: 'slow' })], {
      listeners: [free(), listener({ key: 'slow', port: 0, pool: 'slow' })],
    })
    const controller = await startController(t, dirs.run, first)
    const proxy = startProxy(t, dirs, workers)
    const ack = await controller.acked(first)
    const port = portIn(ack)
    const slowPort = ack.listeners[1]?.port ?? 0
    const slow = await rawClient(t, slowPort, GET)
    await until('it is in flight and counted', () =>
      controller.messages.some(message => message.type === 'status' && Object.keys(message.status.inFlight).length > 0),
    )
    let refused = 0
    for (let round = 0; round < 3; round++) {
      const before = proxy.workers()
      for (const pid of before) process.kill(pid, 'SIGKILL')
      // Connections made while no worker lives wait in the kernel for the next one.
      for (let index = 0; index < 10; index++) {
        const client = await rawClient(t, port, GET)
        await client.until(isWhole).catch(() => {})
        if (client.failed?.includes('ECONNREFUSED') === true) refused++
        else if (round > 0 && !client.failed) t.equal(statusOf(client.text), 200)
        client.socket.destroy()
      }
      await until('there are new ones', () => {
        const now = proxy.workers()
        return now.length === workers && now.every(pid => !before.includes(pid))
      })
    }
    t.equal(refused, 0)
    t.ok(slow.closed || slow.ended)
    await until('what was open is counted as broken', () => {
      const last = controller.messages.findLast(message => message.type === 'status')
      const row = last?.type === 'status' ? last.status.ledger.rows.find(({ vip }) => vip === 'slow') : undefined
      return row?.broken['proxy-died'] === 1 && row.arrived === 1
    })
    t.match(await ask(t, port, GET), /x$/)
  })
}

void t.test('with several workers a swap shows no old answer after a new one', async t => {
  const dirs = folders(t)
  const a = await answering(t, ok('A'))
  const b = await answering(t, ok('B'))
  // Both stay in the table: only the listener moves from one to the other.
  const pools = [pool([target(a)], { key: 'A' }), pool([target(b)], { key: 'B' })]
  const made = (current: string): RoutingTable => table(pools, { listeners: [{ ...free(), pool: current }] })
  const first = made('A')
  const controller = await startController(t, dirs.run, first)
  startProxy(t, dirs, 2)
  const port = portIn(await controller.acked(first))
  // Each answer that is whole tells which table is current at that moment, to all who ask after it.
  let newest = 'A'
  let generation = 0
  let stop = false
  let requests = 0
  const violations: string[] = []
  let expected = 'A'
  const run = async (): Promise<void> => {
    const client = await rawClient(t, port)
    while (!stop) {
      const seen = generation
      const must = newest
      client.text = ''
      client.send(GET)
      const got = (await client.until(isWhole)).slice(-1)
      requests++
      if (got === expected && newest !== expected) {
        newest = expected
        generation++
      }
      if (seen === generation && got !== must) violations.push(`${must} then ${got}`)
    }
    client.socket.destroy()
  }
  const clients = Array.from({ length: 8 }, run)
  for (let index = 0; index < 20; index++) {
    expected = index % 2 === 0 ? 'B' : 'A'
    const next = made(expected)
    controller.push(next)
    await controller.acked(next)
    const before = requests
    await until('requests went by', () => requests > before + 20, { intervalMs: 1 })
  }
  stop = true
  await Promise.all(clients)
  t.same(violations, [])
})

void t.test('several workers together give an instance no more at once than it may have', async t => {
  const dirs = folders(t)
  let now = 0
  let most = 0
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.endsWith('\r\n\r\n')) return
    clear()
    most = Math.max(most, ++now)
    setTimeout(() => {
      now--
      socket.write(ok('x'))
    }, 5)
  })
  const policy = { ...DEFAULT_POLICY, maxConcurrent: 2 }
  const first = table([pool([target(origin)], { policy })], { listeners: [free()] })
  const controller = await startController(t, dirs.run, first)
  startProxy(t, dirs, 2)
  const port = portIn(await controller.acked(first))
  const clients = await Promise.all(Array.from({ length: 40 }, async () => rawClient(t, port, GET)))
  for (const client of clients) t.equal(statusOf(await client.until(isWhole)), 200)
  t.ok(most >= 1 && most <= 2, `${most} at once`)
})

void t.test(
  'without a controller it serves with the table on disk, on the same port, and knows its predecessor',
  async t => {
    const dirs = folders(t)
    const answers: (() => void)[] = []
    const origin = await startOrigin(t, (text, socket, clear) => {
      if (!text.includes('\r\n\r\n')) return
      clear()
      if (text.startsWith('GET /slow')) answers.push(() => socket.write(ok('slow')))
      else socket.write(ok('x'))
    })
    const first = table([pool([target(origin)])], { listeners: [free()] })
    const controller = await startController(t, dirs.run, first)
    const proxy = startProxy(t, dirs)
    const port = portIn(await controller.acked(first))
    await controller.close()
    const slow = await rawClient(t, port, GET.replace('/', '/slow'))
    await until('it is in flight', () => answers.length === 1)
    proxy.child.kill('SIGKILL')
    await proxy.exited

    startProxy(t, dirs)
    await until('the next one serves', async () => {
      const client = await rawClient(t, port, GET)
      return client.failed === null && (await client.until(isWhole)).endsWith('x')
    })
    const second = await startController(t, dirs.run, first)
    const hello = await until('it says hello', () => second.hellos[0])
    t.same(hello.applied, first.revision)
    t.same(hello.predecessors, [{ incarnation: controller.hellos[0]?.incarnation, exited: false }], 'a worker finishes')
    answers.forEach(answer => answer())
    t.match(await slow.until(isWhole), /slow$/)
    await until('it is gone', () => second.messages.some(message => message.type === 'predecessor' && message.exited))
  },
)

void t.test('lives that ended without a controller are told of until a controller has answered', async t => {
  const dirs = folders(t)
  const names = (): string[] => {
    const text = readFileSync(join(dirs.data, 'proxy', 'proxy-0', 'state.json'), 'utf8')
    return (JSON.parse(text) as { incarnation: string }[]).map(life => life.incarnation)
  }
  const liveAndDie = async (untilThen = async (): Promise<unknown> => null): Promise<void> => {
    const before = existsSync(dirs.data) ? names() : []
    const proxy = startProxy(t, dirs)
    await until('it has written itself down with a worker', () => {
      const now = names()
      return now.length === before.length + 1 && proxy.workers().length === 1
    })
    await untilThen()
    const [worker] = proxy.workers()
    proxy.child.kill('SIGKILL')
    await proxy.exited
    if (worker !== undefined) await until('its worker is gone', () => identify(worker) === null)
  }
  const first = table([], { listeners: [] })
  const controller = await startController(t, dirs.run, first)
  await liveAndDie(async () => controller.acked(first))
  await controller.close()
  await liveAndDie()
  const known = names()
  t.equal(known.length, 2)
  const third = startProxy(t, dirs)
  await until('the third life runs', () => names().length === 3 && third.workers().length === 1)
  const second = await startController(t, dirs.run, first)
  const hello = await until('it says hello', () => second.hellos[0])
  t.same(
    hello.predecessors,
    known.map(incarnation => ({ incarnation, exited: true })),
  )
  t.same(hello.applied, first.revision, 'the table on disk is told of')
  await second.acked(first)
  t.same(names(), [hello.incarnation])
})

for (const how of ['SIGTERM', 'the stop file once up and the agents are gone'] as const) {
  void t.test(`on ${how} it lets requests finish and exits 0`, async t => {
    const dirs = folders(t)
    let answer = (): void => {}
    const origin = await startOrigin(t, (text, socket, clear) => {
      if (!text.includes('\r\n\r\n')) return
      clear()
      answer = () => socket.write(ok('finished'))
    })
    const first = table([pool([target(origin)])], { listeners: [free()] })
    const controller = await startController(t, dirs.run, first)
    const pids = join(dirs.data, 'run', 'pids')
    mkdirSync(pids, { recursive: true })
    const here = JSON.stringify(identify(process.pid))
    for (const name of ['up', 'node-0']) writeFileSync(join(pids, `${name}.json`), here)
    const proxy = startProxy(t, dirs)
    const port = portIn(await controller.acked(first))
    const client = await rawClient(t, port, GET)
    await until('it is in flight', () => origin.sockets.length === 1)
    const stillListens = async (): Promise<boolean> => {
      const late = await rawClient(t, port)
      late.socket.destroy()
      return late.failed === null
    }
    if (how === 'SIGTERM') proxy.child.kill('SIGTERM')
    else {
      const gone = JSON.stringify({ ...identify(process.pid), startTime: '1' })
      writeFileSync(join(dirs.run, 'stop'), '')
      t.ok(await stillListens(), 'up is there, and would say so')
      // Who must be gone, and who may stay, is the StopFile's.
      for (const name of ['up', 'node-0']) writeFileSync(join(pids, `${name}.json`), gone)
    }
    await until('nobody listens', async () => !(await stillListens()))
    // As `up` does to a proxy that ends by itself; only a second signal is impatience.
    if (how !== 'SIGTERM') proxy.child.kill('SIGTERM')
    answer()
    t.match(await client.until(isWhole), /Connection: close\r\n\r\nfinished$/)
    client.socket.destroy()
    t.equal(await proxy.exited, 0)
    const last = controller.messages.findLast(message => message.type === 'status')
    t.ok(last?.type === 'status' && last.status.ledger.rows.some(row => row.answered === 1), 'the last counts are told')
  })
}

void t.test('workers end within 10 s of a holder that was told to leave at once', async t => {
  const dirs = folders(t)
  const origin = await startOrigin(t, () => {})
  const first = table([pool([target(origin)])], { listeners: [free()] })
  const controller = await startController(t, dirs.run, first)
  const proxy = startProxy(t, dirs)
  await rawClient(t, portIn(await controller.acked(first)), GET)
  await until('it is in flight', () => origin.sockets.length === 1)
  const [worker = 0] = proxy.workers()
  proxy.child.kill('SIGTERM')
  await until('it stops', () => proxy.child.exitCode !== null || !proxy.child.kill('SIGTERM'))
  t.equal(await proxy.exited, 1)
  t.not(identify(worker), null, 'it still has a request')
  await until('its worker is gone', () => identify(worker) === null, { timeoutMs: 11_000 })
})

void t.test('two workers write one access log, and what they measure reaches the controller', async t => {
  const dirs = folders(t)
  const origin = await answering(t, ok('x'))
  const first = table([pool([target(origin)])], { listeners: [free()], limits: { accessLog: 'json' } })
  const controller = await startController(t, dirs.run, first)
  const proxy = startProxy(t, dirs, 2)
  const port = portIn(await controller.acked(first))
  for (let n = 0; n < 40; n++) await ask(t, port, GET.replace('/ ', `/${n} `))
  const path = join(dirs.data, 'proxy', 'proxy-0', 'access.log')
  const lines = await until('all are logged', () => {
    const all = existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []
    return all.length === 40 ? all.map(line => JSON.parse(line) as { target: string }) : null
  })
  t.equal(new Set(lines.map(line => line.target)).size, 40)
  const read = (name: PlaneMetricName): Readonly<Record<string, number>> => {
    const last = controller.messages.findLast(message => message.type === 'metrics')
    return (last?.type === 'metrics' && last.readings[name]) || {}
  }
  await until('both are measured', () => Object.keys(read('workerMemory')).length === 2)
  for (const bytes of Object.values(read('workerMemory'))) t.ok(bytes > 10e6)
  for (const seconds of Object.values(read('workerCpu'))) t.ok(seconds > 0 && seconds < 100)
  t.ok((read('workerDescriptors')['0'] ?? 0) > 5)

  const [worker = 0] = proxy.workers()
  process.kill(worker, 'SIGKILL')
  await until('its end is counted', () => read('workerRestarts')[''] === 1)
  await until('another has its number', () => Object.keys(read('workerMemory')).length === 2)
})
