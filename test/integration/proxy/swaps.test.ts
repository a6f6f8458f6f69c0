import t from 'tap'
import { until } from '../../support/until.ts'
import { wentBack, type Seen } from '../../support/swap-history.ts'
import { folders, freeze, portIn, startController, startProxy } from './holder-support.ts'
import { answering, ok } from './support.ts'
import { SwapClient, swapped } from './swap-load.ts'

const WORKERS = 4
const PER_WORKER = 6
/** More of them: `SWAPS=5000 node dist/test/integration/proxy/swaps.test.js`. */
const SWAPS = Number(process.env['SWAPS'] ?? 200)

void t.test('the checker finds a request that went back, and only that', t => {
  const seen = (sent: number, received: number, version: number): Seen => ({ sent, received, version })
  t.same(wentBack([seen(0, 5, 0), seen(1, 2, 1), seen(2, 3, 0)]), [], 'sent before the newer answer was received')
  const late = seen(2.5, 4, 0)
  t.same(wentBack([late, seen(0, 5, 0), seen(1, 2, 1)]), [{ seen: late, known: 1 }])
  t.end()
})

void t.test(`no request goes back over ${SWAPS} swaps with ${WORKERS} workers under load`, async t => {
  const dirs = folders(t)
  const origin = await answering(t, ok('x'))
  const first = swapped(0, origin)
  const controller = await startController(t, dirs.run, first)
  const held: number[] = []
  let serving = 0
  const proxy = startProxy(t, dirs, WORKERS, '', ({ msg, heldMs }) => {
    if (typeof heldMs === 'number') held.push(heldMs)
    if (msg === 'a worker serves') serving++
  })
  const port = portIn(await controller.acked(first))
  await until('all workers serve', () => serving === WORKERS)
  const pids = proxy.workers()
  const clients: SwapClient[] = []
  for (const pid of pids) {
    // While the others stand still, each takes its share of the connections.
    await Promise.all(pids.filter(other => other !== pid).map(freeze))
    const own = Array.from({ length: PER_WORKER }, () => new SwapClient(port))
    clients.push(...own)
    await until('they are served', () => own.every(client => client.newest >= 0))
    for (const other of pids) process.kill(other, 'SIGCONT')
  }

  for (let version = 1; version <= SWAPS; version++) {
    const next = swapped(version, origin)
    controller.push(next)
    await controller.acked(next)
    await until('all see it', () => clients.every(client => client.newest === version), { intervalMs: 1 })
  }
  await Promise.all(clients.map(async client => client.stop()))

  const history = clients.flatMap(client => client.seen)
  t.same(wentBack(history), [], `${history.length} requests`)
  t.same(new Set(history.map(({ version }) => version)).size, SWAPS + 1, 'every version was seen')
  t.same(
    clients.map(client => [client.cuts, client.refused]),
    clients.map(() => [0, []]),
  )
  t.same(proxy.workers(), pids, 'no worker was replaced')
  await until('every swap was logged', () => held.length === SWAPS)
  held.sort((a, b) => a - b)
  const at = (share: number): string => (held[Math.floor(share * (held.length - 1))] ?? 0).toFixed(1)
  t.comment(`held for: median ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${at(1)} ms`)
})
