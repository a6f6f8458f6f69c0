import { startVipswap, type RunningVipswap } from '../../peers/vipswap.ts'
import type { Cell } from '../../report/table.ts'
import { Inspector } from '../inspector.ts'
import { median } from '../statistics.ts'
import { judge } from '../targets.ts'
import { readRss } from '../usage.ts'
import type { Context, Workload, WorkloadReport } from '../workload.ts'
import { runWrk, type RequestShape } from '../wrk.ts'

const FIRST = 100_000
const MB = 1e6
/** A leak of half a byte per request would show: the heap is about ten megabytes. */
const GROWTH = 1.1
/** One reading moves by some hundred kilobytes: the end is the median of this many. */
const LAST = 5
const SHOWN = 12

const GET: RequestShape = { path: '/55', method: 'GET', bodyBytes: 0, headers: [] }

/** What is asked for in turn, and for how many rounds' lengths: connections that stay, that do not, and bodies. */
const CYCLE: readonly (readonly [RequestShape, number])[] = [
  [GET, 2],
  [{ ...GET, headers: ['Connection: close'] }, 1],
  [{ ...GET, path: '/post', method: 'POST', bodyBytes: 4096 }, 1],
]

interface Point {
  readonly requests: number
  /** In use after a full collection. */
  readonly heap: number
  readonly rss: number
}

/** Whether the worker's heap stays where it was after the first 100,000 requests. */
export const memory: Workload = {
  name: 'memory',
  title: "a worker's heap (after a full collection) and resident memory, over millions of requests",
  async run(context) {
    if (!context.peers.some(({ name }) => name === 'vipswap')) return report([], 0)
    const goal = context.options.long ? 10_000_000 : context.options.quick ? 300_000 : 2_000_000
    const origin = await context.origin()
    const setup = { origin: origin.port, tls: null, largeBodies: false, pin: context.cores.proxy }
    const running = await startVipswap({ ...setup, folder: context.folder('vipswap') })
    try {
      return report(await watch(context, running, goal), goal)
    } finally {
      await running.stop()
      await origin.child.stop()
    }
  },
}

async function watch(context: Context, running: RunningVipswap, goal: number): Promise<Point[]> {
  const [worker = 0] = running.workers()
  const points: Point[] = []
  let requests = 0
  let inspector: Inspector | null = null
  try {
    while (requests < goal) {
      for (const [request, times] of CYCLE) {
        const seconds = times * context.options.seconds
        const count = await runWrk(context.cores.load, `http://127.0.0.1:${running.port}`, request, 64, seconds)
        if (count.errors > 0) throw new Error(`${count.errors} requests failed`)
        requests += count.requests
      }
      context.say(`  ${requests} requests`)
      if (requests < FIRST) continue
      inspector ??= await Inspector.open(worker, running.errors)
      points.push({ requests, heap: await inspector.heapUsed(), rss: readRss([worker]) })
    }
  } finally {
    inspector?.close()
  }
  return points
}

function report(points: readonly Point[], goal: number): WorkloadReport {
  const first = points[0]
  const last = median(points.slice(-LAST).map(({ heap }) => heap))
  const step = Math.ceil(points.length / SHOWN)
  const shown = points.filter((_, index) => index % step === 0 || index === points.length - 1)
  const what = `heap after ${goal} requests`
  const target = { what, to: `that after the first ${first?.requests ?? FIRST}`, atMost: GROWTH }
  return {
    head: ['requests', 'heap MB', 'RSS MB'],
    rows: shown.map(({ requests, heap, rss }): Cell[] => [requests, heap / MB, rss / MB]),
    verdicts: [judge(target, first === undefined ? Number.NaN : last / first.heap)],
    notes: ['three kinds of requests in turn: connections that stay, a new one for each, POST of 4 KiB'],
    json: { points },
  }
}
