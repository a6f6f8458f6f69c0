import { setTimeout as delay } from 'node:timers/promises'
import { now } from '../../load/now.ts'
import { startVipswap } from '../../peers/vipswap.ts'
import type { Cell } from '../../report/table.ts'
import { runPaced } from '../paced.ts'
import { summariseSwaps, type SwapSummary, type SwapTime } from '../swap-summary.ts'
import { DISTURBED_MS, judge, type Verdict } from '../targets.ts'
import type { Context, Workload, WorkloadReport } from '../workload.ts'
import { runWrk } from '../wrk.ts'

const CONNECTIONS = 64
const SHARE = 0.6
const WORKERS = [1, 4]
/** A second before, a second around, and the next. */
const INTERVAL_MS = 2000
const FIRST_MS = 2500

interface Run extends SwapSummary {
  readonly workers: number
  readonly perSecond: number
  readonly swaps: readonly SwapTime[]
}

/** What a swap adds to the latency of the requests around it, with one worker and with four. */
export const swap: Workload = {
  name: 'swap',
  title: `latency around a swap (open loop, ${100 * SHARE} % of saturation): the second around it against the second before`,
  async run(context) {
    const runs: Run[] = []
    if (context.peers.some(({ name }) => name === 'vipswap')) {
      for (const workers of WORKERS) runs.push(await one(context, workers))
    }
    return report(runs)
  },
}

async function one(context: Context, workers: number): Promise<Run> {
  const { cores, options } = context
  const origins = await Promise.all(['A', 'B'].map(async label => context.origin(label)))
  const [a, b] = origins
  if (a === undefined || b === undefined) throw new Error('two instances are needed')
  const pin = workers === 1 ? cores.proxy : cores.others
  const setup = { origin: a.port, tls: null, largeBodies: false, pin, folder: context.folder('vipswap') }
  const running = await startVipswap(setup, { workers })
  try {
    const request = { path: '/55', method: 'GET', bodyBytes: 0, headers: [] } as const
    // Before it is measured it has swapped, and carried all it can, on both sides.
    let carried = 0
    for (const [production, staging] of [
      [b.port, a.port],
      [a.port, b.port],
    ] as const) {
      await running.swap(production, staging)
      const count = await runWrk(cores.load, `http://127.0.0.1:${running.port}`, request, CONNECTIONS, options.seconds)
      carried = count.requests / count.seconds
    }
    const perSecond = Math.round(SHARE * carried)
    const count = options.quick ? 5 : 20
    const seconds = (FIRST_MS + count * INTERVAL_MS) / 1000
    context.say(`  ${workers} workers: ${count} swaps under ${perSecond} requests a second`)
    const load = runPaced(context, running.port, { connections: CONNECTIONS, perSecond, seconds })
    const beganAt = now()
    const swaps: SwapTime[] = []
    for (let index = 0; index < count; index++) {
      await delay(beganAt + FIRST_MS + index * INTERVAL_MS - now())
      const to = index % 2 === 0 ? 'B' : 'A'
      const pushedAt = now()
      await (to === 'B' ? running.swap(b.port, a.port) : running.swap(a.port, b.port))
      swaps.push({ pushedAt, acknowledgedAt: now(), to })
    }
    return { workers, perSecond, swaps, ...summariseSwaps(await load, swaps) }
  } finally {
    await running.stop()
    await Promise.all(origins.map(async ({ child }) => child.stop()))
  }
}

function report(runs: readonly Run[]): WorkloadReport {
  return {
    head: [
      'workers',
      '/s',
      'swaps',
      'p99.9 before ms',
      'p99.9 around ms',
      'ratio',
      'push to ack ms, median',
      'hold p99 ms',
      'failed',
      'wrong side',
    ],
    rows: runs.map((run): Cell[] => [
      run.workers,
      run.perSecond,
      run.swaps.length,
      run.before,
      run.around,
      run.around / run.before,
      run.switchMs,
      run.holdP99,
      run.failed,
      run.wrongSide,
    ]),
    verdicts: runs.flatMap(verdicts),
    notes: [
      'one worker on the proxy’s core, four on all cores but the load’s; the latencies of all swaps of a run are taken together',
      'hold p99: latency of the requests due between the push of a table and its acknowledgement, over all swaps',
      'wrong side: due after the acknowledgement and answered by the old side',
      ...(runs.some(isDisturbed)
        ? [`not judged where p99.9 before a swap is beyond ${DISTURBED_MS} ms: the machine was busy elsewhere`]
        : []),
    ],
    json: { runs },
  }
}

function isDisturbed(run: Run): boolean {
  return run.before > DISTURBED_MS
}

function verdicts(run: Run): Verdict[] {
  const lost = judge(
    { what: `requests lost or on the wrong side, ${run.workers} workers`, to: null, atMost: 0 },
    run.failed + run.wrongSide,
  )
  const known = (value: number): number => (isDisturbed(run) ? Number.NaN : value)
  if (run.workers === 1) {
    const target = { what: 'p99.9 around a swap, one worker', to: 'the second before', atMost: 1.5 }
    return [judge(target, known(run.around / run.before)), lost]
  }
  const what = `p99.9 around a swap above the second before, ${run.workers} workers`
  const added = { what, to: null, atMost: Number(run.holdP99.toFixed(2)), unit: 'ms, the measured hold' }
  const hold = { what: `hold p99, ${run.workers} workers`, to: null, atMost: 10, unit: 'ms' }
  return [judge(added, known(run.around - run.before)), judge(hold, known(run.holdP99)), lost]
}
