import { errorMessage } from '../../../src/core/errors.ts'
import type { Cell } from '../../report/table.ts'
import type { Need } from '../../peers/peer.ts'
import { interleave, measure, type Sample } from '../rounds.ts'
import { startPeers } from '../started-peers.ts'
import { median, ratio } from '../statistics.ts'
import { judge, type Target } from '../targets.ts'
import type { Context, Workload, WorkloadReport } from '../workload.ts'
import type { LoadCount } from '../wrk.ts'

/** A workload that saturates and asks what one request, or one MiB, costs. */
export interface Throughput {
  readonly name: string
  readonly title: string
  readonly need?: Need
  readonly largeBodies?: boolean
  /** Units of work in a request: 1, or its size in MiB. */
  readonly units?: number
  readonly unit: 'request' | 'MiB' | 'message'
  readonly targets: readonly Omit<Target, 'what'>[]
  /** Peers that add no header fields take part too. */
  readonly bare?: boolean
  readonly load: (context: Context, port: number) => Promise<LoadCount>
}

/** The peers that others are compared with, each a column of the report. */
const BASES = ['nginx', 'haproxy', 'http-proxy', 'floor']

export function throughput(workload: Throughput): Workload {
  return { name: workload.name, title: workload.title, run: async context => run(workload, context) }
}

async function run(workload: Throughput, context: Context): Promise<WorkloadReport> {
  const wanted = context.peers.filter(({ name }) => workload.bare === true || !name.endsWith('-bare'))
  const peers = await startPeers(context, wanted, workload)
  const broken = new Map<string, string>()
  try {
    const samples = await interleave(peers.started, context.options.rounds, async ({ name, running }, round) => {
      if (broken.has(name)) return null
      context.say(`  ${round === 0 ? 'warming up' : `round ${round}`}: ${name}`)
      try {
        return await measure(running, async port => workload.load(context, port), {
          units: workload.units ?? 1,
          loadCore: context.cores.loadCore,
        })
      } catch (error) {
        broken.set(name, errorMessage(error))
        return null
      }
    })
    const whole = new Map<string, Sample[]>()
    for (const [{ name }, all] of samples) {
      if (!broken.has(name))
        whole.set(
          name,
          all.filter(sample => sample !== null),
        )
    }
    const failed = [...broken].map(([name, reason]) => `${name} failed: ${reason}`)
    return report(workload, whole, [...peers.notes, ...failed])
  } finally {
    await peers.stop()
  }
}

function report(
  workload: Throughput,
  samples: ReadonlyMap<string, readonly Sample[]>,
  notes: string[],
): WorkloadReport {
  const cpu = (name: string): number[] => (samples.get(name) ?? []).map(sample => sample.cpuPerUnit)
  const of = (name: string, take: (sample: Sample) => number): number => median((samples.get(name) ?? []).map(take))
  const bases = BASES.filter(base => samples.has(base))
  const rows = [...samples.keys()].map((name): Cell[] => [
    name,
    of(name, sample => sample.cpuPerUnit),
    ...bases.map(base => ratio(cpu(name), cpu(base))),
    Math.round(of(name, sample => sample.perSecond)),
    Math.round(100 * of(name, sample => sample.core)),
    Math.round(100 * of(name, sample => sample.loadCore)),
    (samples.get(name) ?? []).reduce((sum, sample) => sum + sample.errors, 0),
  ])
  const what = `CPU per ${workload.unit}`
  return {
    head: ['peer', `CPU µs/${workload.unit}`, ...bases.map(base => `× ${base}`), '/s', 'core %', 'load %', 'errors'],
    rows,
    verdicts: workload.targets.map(target => judge({ what, ...target }, ratio(cpu('vipswap'), cpu(target.to ?? '')))),
    notes,
    json: Object.fromEntries(samples),
  }
}
