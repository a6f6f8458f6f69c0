import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Verdict, Violation } from '../../checkers/verdict.ts'
import { checkOrphans } from '../../checkers/orphans.ts'
import { historyIn } from '../../checkers/recording.ts'
import { table } from '../../../bench/report/table.ts'
import { verdictText } from '../../checkers/check-all.ts'
import { timeNow } from '../faults/history/recorder.ts'
import { SERVICE, type PackageOptions } from '../faults/support/package.ts'
import type { Subject } from '../faults/support/subject.ts'
import { Trial } from '../faults/support/trial.ts'
import { processesLine } from './processes.ts'
import { growthText } from './report.ts'
import { takeSample, type Sample } from './resources.ts'

export interface CyclesResult {
  readonly cycles: number
  readonly seconds: number
  readonly samples: readonly Sample[]
  readonly growth: readonly Growth[]
  readonly verdicts: readonly Verdict[]
  readonly unmet: readonly string[]
}

/** What a part used once all was warm, and at the end. */
interface Growth {
  readonly what: string
  readonly before: number
  readonly after: number
  /** Percent. */
  readonly allowed: number
}

/** Cycles before the first look: compiled code, pools and caches are there then. */
const WARM_SHARE = 0.1
const MOST_WARM = 50
const LOOKS = 40
/** Memory may be so much more; descriptors, processes and files not. */
const MEMORY_PERCENT = 10
/** A log is begun, a table of the store is written: files that are there now and not then. */
const FILES_PERCENT = 10
const REST_MS = 3000

/** Deploys to staging, swaps, deletes what is in staging then, so many times, and compares what is used with before. */
export async function runCycles(
  cycles: number,
  { seed, record }: { seed: number; record: string },
  say: (text: string) => void,
): Promise<CyclesResult> {
  const name = `cycles-${seed}`
  const trial = new Trial(name, record, true)
  const began = performance.now()
  const samples: Sample[] = []
  const faults: Violation[] = []
  let done = 0
  try {
    const subject = await trial.subject()
    const { data } = subject.system
    const options = (version: string): PackageOptions => ({ version, instances: 1, domains: 1 })
    await subject.deployed(options('1.0.0'))
    const digests = [await subject.upload(options('2.0.0')), await subject.upload(options('1.0.0'))] as const
    const warm = Math.min(MOST_WARM, Math.ceil(cycles * WARM_SHARE))
    const every = Math.max(1, Math.floor(cycles / LOOKS))
    for (; done < warm + cycles; done += 1) {
      if (done === warm) samples.push(await lookAtRest(data, began))
      const fault = await cycle(subject, digests[done % 2] ?? '')
      if (fault !== '') faults.push({ at: timeNow(), text: fault })
      if (done > warm && done % every === 0) {
        samples.push(takeSample(data, began))
        say(`${done} cycles`)
      }
    }
    samples.push(await lookAtRest(data, began))
    trial.recorder.add(processesLine(data, await subject.client.services()))
  } catch (error) {
    trial.unmet.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  await trial.end()
  const growth = growthOf(samples)
  const grown = growth.filter(({ before, after, allowed }) => after > before * (1 + allowed / 100))
  const violations = grown.map(({ what, before, after }) => ({
    at: timeNow(),
    text: `${what}: ${before}, then ${after}`,
  }))
  return {
    cycles: done,
    seconds: Math.round((performance.now() - began) / 1000),
    samples,
    growth,
    verdicts: [
      { name: 'each cycle goes through', judged: done, of: 'cycles', violations: faults },
      { name: 'what it uses is back where it was', judged: growth.length, of: 'counts', violations },
      checkOrphans(historyIn(join(record, `${name}.jsonl`))),
    ],
    unmet: trial.unmet,
  }
}

export function cyclesText({ cycles, seconds, samples, growth, verdicts, unmet }: CyclesResult): string {
  const rows = growth.map(({ what, before, after, allowed }) => {
    return [what, before, after, before === 0 ? '' : ((100 * (after - before)) / before).toFixed(1), allowed]
  })
  return [
    `${cycles} cycles in ${seconds} s, ${(seconds / cycles).toFixed(2)} s each`,
    table(['uses', 'warm', 'at the end', '% more', 'allowed'], rows),
    growthText(samples),
    verdictText(verdicts),
    ...unmet.map(text => `BROKEN  ${text}`),
  ].join('\n\n')
}

async function cycle(subject: Subject, digest: string): Promise<string> {
  const { client } = subject
  const steps = [
    await subject.operate('create staging', async idempotencyKey =>
      client.create(SERVICE, 'staging', { package: digest }, { idempotencyKey }),
    ),
    await subject.operate('swap', async idempotencyKey => client.swap(SERVICE, {}, { idempotencyKey })),
    await subject.operate('delete staging', async idempotencyKey =>
      client.delete(SERVICE, 'staging', { idempotencyKey }),
    ),
  ]
  return steps
    .filter(({ outcome }) => outcome !== 'Succeeded')
    .map(({ call, outcome, code }) => `${call} ended ${outcome} ${code ?? ''}`)
    .join('; ')
}

/** After a while in which nothing is asked: what was opened for a request is closed then. */
async function lookAtRest(data: string, began: number): Promise<Sample> {
  await delay(REST_MS)
  return takeSample(data, began)
}

function growthOf(samples: readonly Sample[]): Growth[] {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) return []
  const parts = Object.entries(first.parts).flatMap(([name, before]) => {
    const after = last.parts[name] ?? { rss: Infinity, descriptors: Infinity }
    return [
      { what: `${name}: RSS MiB`, before: before.rss, after: after.rss, allowed: MEMORY_PERCENT },
      { what: `${name}: descriptors`, before: before.descriptors, after: after.descriptors, allowed: 0 },
    ]
  })
  return [
    ...parts,
    { what: 'processes', before: first.processes, after: last.processes, allowed: 0 },
    { what: 'files in the data folder', before: first.files, after: last.files, allowed: FILES_PERCENT },
  ]
}
