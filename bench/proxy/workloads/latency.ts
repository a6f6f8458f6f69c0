import type { Cell } from '../../report/table.ts'
import { runPaced } from '../paced.ts'
import { interleave } from '../rounds.ts'
import { startPeers, type StartedPeer } from '../started-peers.ts'
import { median, quantileSorted, ratio } from '../statistics.ts'
import { DISTURBED_MS, judge } from '../targets.ts'
import type { Context, Workload, WorkloadReport } from '../workload.ts'
import { runWrk } from '../wrk.ts'

const SHARE = 0.6
const CONNECTIONS = 64
const PEERS = ['vipswap', 'nginx', 'haproxy', 'floor']
/** The rate is a share of what the slower of these two carries, so that it is the same for all. */
const COMPARED = ['vipswap', 'nginx']
const WARM_UP_MS = 500

/** One round; milliseconds. */
interface Latencies {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly failed: number
}

/** How long a request takes that falls due at a constant rate, well below what the peers carry. */
export const latency: Workload = {
  name: 'latency',
  title: `latency at a constant rate (open loop, from when a request is due), ${100 * SHARE} % of what the slower of vipswap and nginx carries`,
  async run(context) {
    const peers = await startPeers(
      context,
      context.peers.filter(({ name }) => PEERS.includes(name)),
    )
    try {
      const perSecond = await findRate(context, peers.started)
      context.say(`  ${perSecond} requests a second`)
      const samples = await interleave(peers.started, context.options.rounds, async ({ name, running }, round) => {
        context.say(`  round ${round}: ${name}`)
        return one(context, running.port, perSecond)
      })
      return report(new Map([...samples].map(([{ name }, all]) => [name, all])), perSecond, peers.notes)
    } finally {
      await peers.stop()
    }
  },
}

async function findRate({ cores, options }: Context, peers: readonly StartedPeer[]): Promise<number> {
  const request = { path: '/55', method: 'GET', bodyBytes: 0, headers: [] } as const
  const samples = await interleave(peers, Math.min(3, options.rounds), async ({ running }) => {
    const count = await runWrk(cores.load, `http://127.0.0.1:${running.port}`, request, CONNECTIONS, options.seconds)
    return count.requests / count.seconds
  })
  const compared = [...samples].filter(([{ name }]) => COMPARED.includes(name))
  const rates = (compared.length > 0 ? compared : [...samples]).map(([, all]) => median(all))
  return Math.round(SHARE * Math.min(...rates))
}

async function one(context: Context, port: number, perSecond: number): Promise<Latencies> {
  const records = await runPaced(context, port, {
    connections: CONNECTIONS,
    perSecond,
    seconds: context.options.seconds + WARM_UP_MS / 1000,
  })
  const sorted = records.latencies(records.beganAt + WARM_UP_MS)
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map(share => quantileSorted(sorted, share))
  return { p50: p50 ?? Number.NaN, p99: p99 ?? Number.NaN, p999: p999 ?? Number.NaN, failed: records.failed }
}

function report(
  samples: ReadonlyMap<string, readonly Latencies[]>,
  perSecond: number,
  notes: readonly string[],
): WorkloadReport {
  const p99 = (name: string): number[] => (samples.get(name) ?? []).map(sample => sample.p99)
  const rows = [...samples].map(([name, all]): Cell[] => [
    name,
    median(all.map(sample => sample.p50)),
    median(p99(name)),
    ratio(p99(name), p99('nginx')),
    median(all.map(sample => sample.p999)),
    all.reduce((sum, sample) => sum + sample.failed, 0),
  ])
  const disturbed = median(p99('nginx')) > DISTURBED_MS
  const target = { what: 'p99 latency', to: 'nginx', atMost: 1.3 }
  return {
    head: ['peer', 'p50 ms', 'p99 ms', 'p99 × nginx', 'p99.9 ms', 'failed'],
    rows,
    verdicts: [judge(target, disturbed ? Number.NaN : ratio(p99('vipswap'), p99('nginx')))],
    notes: [
      `${perSecond} requests a second to each`,
      ...(disturbed
        ? [`not judged: nginx's p99 beyond ${DISTURBED_MS} ms means a machine that is busy elsewhere`]
        : []),
      ...notes,
    ],
    json: { perSecond, samples: Object.fromEntries(samples) },
  }
}
