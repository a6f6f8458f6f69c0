import t from 'tap'
import { identify } from '../../../src/core/process-identity.ts'
import { wentBack } from '../../support/swap-history.ts'
import { until } from '../../support/until.ts'
import { folders, freeze, GET, portIn, startController, startProxy, type LogEntry } from './holder-support.ts'
import { answering, isWhole, ok, rawClient, statusOf, type RawClient } from './support.ts'
import { SwapClient, swapped } from './swap-load.ts'

interface Test {
  teardown(fn: () => unknown): void
}

/** Three workers, each with a client that asks without a pause, and what the holder logs. */
async function start(t: Test) {
  const dirs = folders(t)
  const origin = await answering(t, ok('x'))
  const first = swapped(0, origin)
  const controller = await startController(t, dirs.run, first)
  const log: LogEntry[] = []
  const proxy = startProxy(t, dirs, 3, '', entry => log.push(entry))
  const port = portIn(await controller.acked(first))
  await until('all workers serve', () => log.filter(({ msg }) => msg === 'a worker serves').length === 3)
  const pids = proxy.workers()
  const [a = 0, b = 0, c = 0] = pids
  /** Whatever `dial` connects is accepted by this worker. */
  const on = async <T>(pid: number, dial: () => Promise<T>): Promise<T> => {
    const others = pids.filter(other => other !== pid)
    await Promise.all(others.map(freeze))
    const made = await dial()
    for (const other of others) process.kill(other, 'SIGCONT')
    return made
  }
  const clients: SwapClient[] = []
  for (const pid of pids) {
    await on(pid, async () => {
      const client = new SwapClient(port)
      clients.push(client)
      return until('it is served', () => client.newest === 0)
    })
  }
  t.teardown(async () => Promise.all(clients.map(async client => client.stop())))
  let version = 0
  return {
    proxy,
    port,
    log,
    pids: { a, b, c },
    clients: { a: clients[0] as SwapClient, b: clients[1] as SwapClient, c: clients[2] as SwapClient },
    on,
    /** Pushes the next swap's table; answers its number and what resolves when it is acknowledged. */
    swap: () => {
      const next = swapped(++version, origin)
      controller.push(next)
      return { version, acked: async () => controller.acked(next) }
    },
    logged: async (msg: string, worker: number, from = 0) =>
      until(`"${msg}" of ${worker} is logged`, () => logged(log, msg, worker, from), { intervalMs: 1 }),
    history: async () => {
      await Promise.all(clients.map(async client => client.stop()))
      return clients.flatMap(client => client.seen)
    },
  }
}

function logged(log: readonly LogEntry[], msg: string, worker: number, from: number): boolean {
  return log.slice(from).some(entry => entry['msg'] === msg && entry['worker'] === worker)
}

const HAS = 'a worker has the table'
const HOLDS = 'a worker holds'

void t.test('a worker that hangs at rest delays a swap and holds nobody, and is replaced', async t => {
  const rig = await start(t)
  const { a, b, c } = rig.pids
  await freeze(a)
  const swap = rig.swap()
  await rig.logged('a worker hangs and is killed', a)
  t.equal(rig.clients.b.newest, 0, 'until then nothing has changed')
  await swap.acked()
  await until('all see it', () => Object.values(rig.clients).every(client => client.newest === swap.version))
  const left = rig.proxy.workers()
  t.ok(left.includes(b) && left.includes(c) && !left.includes(a) && left.length === 3, 'only it was replaced')
  const history = await rig.history()
  t.same(wentBack(history), [])
  // The 5 s of patience with the one are not seen by clients of the others.
  const waits = [...rig.clients.b.seen, ...rig.clients.c.seen].map(({ sent, received }) => received - sent)
  t.ok(Math.max(...waits) < 4500, `the longest wait was ${Math.max(...waits).toFixed(0)} ms`)
  t.equal(rig.clients.b.cuts + rig.clients.c.cuts, 0)
})

void t.test(
  'a worker that hangs at the first level: the swap is put off, nothing has changed, then it is done',
  async t => {
    const rig = await start(t)
    const { a, b, c } = rig.pids
    await freeze(c)
    const swap = rig.swap()
    await Promise.all([rig.logged(HAS, a), rig.logged(HAS, b)])
    await freeze(a)
    process.kill(c, 'SIGCONT')
    const entry = await until('it is put off', () => rig.log.find(({ msg }) => msg === 'a table was put off'))
    t.same(entry['late'], [a])
    const before = rig.clients.b.seen.length
    await until('others serve on', () => rig.clients.b.seen.length > before + 20)
    t.equal(rig.clients.b.newest, 0, 'by the old table')
    process.kill(a, 'SIGCONT')
    await swap.acked()
    await until('all see it', () => Object.values(rig.clients).every(client => client.newest === swap.version))
    t.same(wentBack(await rig.history()), [])
    t.same(rig.proxy.workers(), [a, b, c], 'it was not replaced')
    t.same(
      Object.values(rig.clients).map(client => client.cuts),
      [0, 0, 0],
    )
  },
)

void t.test('a worker that hangs between the levels holds until it wakes, then serves the new side', async t => {
  const rig = await start(t)
  const { a, b, c } = rig.pids
  for (let attempt = 0; ; attempt++) {
    const from = rig.log.length
    await freeze(c)
    const swap = rig.swap()
    await Promise.all([rig.logged(HAS, a, from), rig.logged(HAS, b, from)])
    await freeze(b)
    process.kill(c, 'SIGCONT')
    await rig.logged(HOLDS, a, from)
    await freeze(a)
    process.kill(b, 'SIGCONT')
    // On a slow machine all this may take longer than the holder waits for `b`.
    const putOff = await until('it is done or put off', () => {
      if (rig.log.slice(from).some(({ msg }) => msg === 'a table was put off')) return { putOff: true }
      return rig.clients.b.newest === swap.version ? { putOff: false } : null
    })
    if (!putOff.putOff) t.ok(rig.clients.a.newest < swap.version, 'one has not seen it yet')
    const { length } = rig.clients.a.seen
    process.kill(a, 'SIGCONT')
    await swap.acked()
    await until('it goes on', () => rig.clients.a.newest === swap.version)
    if (!putOff.putOff) {
      const old = rig.clients.a.seen.slice(length).filter(({ version }) => version < swap.version)
      t.ok(old.length <= 1, 'only what was under way before is answered by the old side')
      break
    }
    t.ok(attempt < 10)
  }
  t.same(wentBack(await rig.history()), [])
  t.same(rig.proxy.workers(), [a, b, c])
})

void t.test('a worker that dies at the first level is replaced and the swap is done', async t => {
  const rig = await start(t)
  const { a, b, c } = rig.pids
  await freeze(c)
  const swap = rig.swap()
  await Promise.all([rig.logged(HAS, a), rig.logged(HAS, b)])
  await freeze(a)
  process.kill(c, 'SIGCONT')
  await rig.logged(HOLDS, b)
  process.kill(a, 'SIGKILL')
  await swap.acked()
  await until('all see it', () => Object.values(rig.clients).every(client => client.newest === swap.version))
  await until('it is replaced', () => rig.proxy.workers().length === 3 && !rig.proxy.workers().includes(a))
  t.same(wentBack(await rig.history()), [])
  t.ok(rig.clients.a.cuts > 0)
  t.equal(rig.clients.b.cuts + rig.clients.c.cuts, 0)
})

void t.test(
  'if the holder dies between the levels those who hold answer 503: nobody can say which side is right',
  async t => {
    const rig = await start(t)
    const { a, b, c } = rig.pids
    const asked: RawClient = await rig.on(a, async () => {
      const client = await rawClient(t, rig.port, GET)
      await client.until(isWhole)
      return client
    })
    await rig.history()
    await freeze(c)
    rig.swap()
    await Promise.all([rig.logged(HAS, a), rig.logged(HAS, b)])
    await freeze(b)
    process.kill(c, 'SIGCONT')
    await rig.logged(HOLDS, a)
    asked.text = ''
    asked.send(GET)
    rig.proxy.child.kill('SIGKILL')
    const answer = await asked.end()
    t.equal(statusOf(answer), 503)
    t.match(answer, /Connection: close/)
    process.kill(b, 'SIGCONT')
    await until('all workers end', () => [a, b, c].every(pid => identify(pid) === null), { timeoutMs: 15_000 })
  },
)

void t.test('workers killed at any moment of a swap break no order, and every swap is done', async t => {
  const rig = await start(t)
  const SWAPS = 24
  for (let round = 1; round <= SWAPS; round++) {
    const from = rig.log.length
    const swap = rig.swap()
    if (round % 4 === 0) {
      // Another moment each time: what has been logged since tells how far it is.
      const steps = until('steps were taken', () => rig.log.length >= from + round / 4, { intervalMs: 1 })
      await Promise.race([steps.catch(() => {}), swap.acked()])
      const victim = rig.proxy.workers()[round % 3]
      if (victim !== undefined) process.kill(victim, 'SIGKILL')
    }
    await swap.acked()
    await until('all see it', () => Object.values(rig.clients).every(client => client.newest === swap.version))
  }
  await until('all are replaced', () => rig.proxy.workers().length === 3)
  const history = await rig.history()
  t.same(wentBack(history), [], `${history.length} requests`)
  t.same(
    Object.values(rig.clients).map(client => client.refused),
    [[], [], []],
  )
})
