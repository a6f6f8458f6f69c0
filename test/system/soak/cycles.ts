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

/** What was used once all that is kept had filled up, and at the end. */
interface Growth {
  readonly what: string
  readonly before: number
  readonly after: number
  /** Percent; Infinity: not judged. */
  readonly allowed: number
}

/** Cycles before the first look: code is compiled, pools and caches are there then. */
const WARM_SHARE = 0.1
const MOST_WARM = 50
const LOOKS = 40
/**
 * Memory is compared by the least of several looks, since it falls only when garbage is collected: late enough that the 500 operations
 * which are kept (three a cycle) are there in a run of 500 cycles, and at the end.
 */
const BEFORE = { from: 0.3, to: 0.5 }
const AFTER = { from: 0.8, to: 1 }
/** Memory may be so much more, in runs long enough to say; descriptors and processes not. */
const MEMORY_PERCENT = 10
const MEMORY_FROM_CYCLES = 500
/** Logs and tables of the store come and go. */
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
  const growth = growthOf(samples, cycles)
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
    return [
      what,
      before,
      after,
      before === 0 ? '' : ((100 * (after - before)) / before).toFixed(1),
      Number.isFinite(allowed) ? String(allowed) : 'any',
    ]
  })
  return [
    `${cycles} cycles in ${seconds} s, ${(seconds / cycles).toFixed(2)} s each`,
    table(['uses', 'before', 'at the end', '% more', 'allowed'], rows),
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

/** What is compared, and how. */
export function growthOf(samples: readonly Sample[], cycles: number): Growth[] {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) return []
  const least = ({ from, to }: typeof BEFORE, value: (sample: Sample) => number | undefined): number => {
    const window = samples.slice(Math.floor(from * (samples.length - 1)), Math.ceil(to * (samples.length - 1)) + 1)
    return Math.min(...window.map(sample => value(sample) ?? Infinity))
  }
  const floor = (what: string, allowed: number, value: (sample: Sample) => number | undefined): Growth => {
    return { what, before: least(BEFORE, value), after: least(AFTER, value), allowed }
  }
  const percent = cycles < MEMORY_FROM_CYCLES ? Infinity : MEMORY_PERCENT
  const parts = Object.keys(first.parts).flatMap(name => [
    floor(`${name}: RSS MiB, least`, percent, ({ parts }) => parts[name]?.rss),
    {
      what: `${name}: descriptors`,
      before: first.parts[name]?.descriptors ?? 0,
      after: last.parts[name]?.descriptors ?? Infinity,
      allowed: 0,
    },
  ])
  return [
    ...parts,
    { what: 'processes', before: first.processes, after: last.processes, allowed: 0 },
    floor('files in the data folder, least', FILES_PERCENT, ({ files }) => files),
  ]
}
