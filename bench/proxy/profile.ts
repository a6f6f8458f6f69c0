import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startVipswap } from '../peers/vipswap.ts'
import type { Cell } from '../report/table.ts'
import { table } from '../report/table.ts'
import { projectRoot } from '../system/packages.ts'
import { Inspector } from './inspector.ts'
import { summariseProfile, type CpuProfile } from './profile-summary.ts'
import type { Context } from './workload.ts'
import { runWrk } from './wrk.ts'

const CONNECTIONS = 64
const INTERVAL_US = 200
const TOP = 25

/**
 * Where the CPU time of the real worker goes while it answers with 55 bytes: V8's profiler, switched on through the
 * inspector once the worker is warm. Times are the profiler's own view, and it costs some itself: shares count, not sums.
 */
export async function profile(context: Context, path: string): Promise<string> {
  const { cores, options } = context
  const origin = await context.origin()
  const setup = { origin: origin.port, tls: null, largeBodies: false, pin: cores.proxy }
  const running = await startVipswap({ ...setup, folder: context.folder('vipswap') })
  try {
    const request = { path: '/55', method: 'GET', bodyBytes: 0, headers: [] } as const
    const load = async (): Promise<number> => {
      const url = `http://127.0.0.1:${running.port}`
      return (await runWrk(cores.load, url, request, CONNECTIONS, options.seconds)).requests
    }
    await load()
    const inspector = await Inspector.open(running.workers()[0] ?? 0, running.errors)
    await inspector.call('Profiler.enable')
    await inspector.call('Profiler.setSamplingInterval', { interval: INTERVAL_US })
    await inspector.call('Profiler.start')
    const requests = await load()
    const { profile: taken } = (await inspector.call('Profiler.stop')) as { profile: CpuProfile }
    inspector.close()
    const file = join(projectRoot(), 'bench', 'results', `${path}.cpuprofile`)
    writeFileSync(file, JSON.stringify(taken))
    const rows = summariseProfile(taken).map(({ name, where, microseconds, share }): Cell[] => [
      microseconds / requests,
      100 * share,
      name,
      where,
    ])
    const shown = table(['self µs/request', '%', 'function', 'where'], rows.slice(0, TOP))
    return `${requests} requests, sampled every ${INTERVAL_US} µs\n${shown}\nwhole profile: ${file}`
  } finally {
    await running.stop()
    await origin.child.stop()
  }
}
