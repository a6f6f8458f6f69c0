import { startVipswap, vipswap } from '../../peers/vipswap.ts'
import type { Peer } from '../../peers/peer.ts'
import { interleave, measure } from '../rounds.ts'
import { startPeers } from '../started-peers.ts'
import { median, ratio } from '../statistics.ts'
import { judge } from '../targets.ts'
import type { Workload } from '../workload.ts'
import { runWrk } from '../wrk.ts'

const CONNECTIONS = 64

const logging: Peer = {
  ...vipswap,
  name: 'vipswap, logging',
  start: async setup => startVipswap(setup, { accessLog: 'json' }),
}

/** What a line of JSON for each request costs. */
export const accessLog: Workload = {
  name: 'access-log',
  title: `55-byte answers, ${CONNECTIONS} connections that stay; with and without an access log (JSON)`,
  async run(context) {
    const peers = await startPeers(context, [vipswap, logging])
    try {
      const request = { path: '/55', method: 'GET', bodyBytes: 0, headers: [] } as const
      const samples = await interleave(peers.started, context.options.rounds, async ({ name, running }, round) => {
        context.say(`  ${round === 0 ? 'warming up' : `round ${round}`}: ${name}`)
        return measure(
          running,
          async port =>
            runWrk(context.cores.load, `http://127.0.0.1:${port}`, request, CONNECTIONS, context.options.seconds),
          { units: 1, loadCore: context.cores.loadCore },
        )
      })
      const all = new Map([...samples].map(([{ name }, each]) => [name, each]))
      const cpu = (name: string): number[] => (all.get(name) ?? []).map(sample => sample.cpuPerUnit)
      const target = { what: 'CPU per request with the access log', to: 'vipswap', atMost: 1.15 }
      return {
        head: ['peer', 'CPU µs/request', '× without'],
        rows: [...all.keys()].map(name => [name, median(cpu(name)), ratio(cpu(name), cpu(vipswap.name))]),
        verdicts: [judge(target, ratio(cpu(logging.name), cpu(vipswap.name)))],
        notes: peers.notes,
        json: Object.fromEntries(all),
      }
    } finally {
      await peers.stop()
    }
  },
}
