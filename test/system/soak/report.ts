import { table } from '../../../bench/report/table.ts'
import { verdictText } from '../../checkers/check-all.ts'
import { slopePerHour, type Sample } from './resources.ts'
import type { SoakResult } from './soak.ts'

/** All that a run has to say, as text. */
export function soakText(result: SoakResult): string {
  const { availability, samples, verdicts, done, killed, unmet } = result
  const counts = (record: Readonly<Record<string, number>>): string =>
    Object.entries(record)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `  ${String(count).padStart(5)}  ${name}`)
      .join('\n')
  const vips = table(
    ['address', 'requests', 'lost', 'seconds', 'without a loss', '%', 'slowest ms'],
    availability.map(each => {
      const percent = ((100 * each.good) / each.seconds).toFixed(3)
      return [each.vip, each.requests, each.lost, each.seconds, each.good, percent, each.slowestMs]
    }),
  )
  return [
    `${result.seconds} s, ${result.requests} requests, ${result.streamed} messages of streams; recorded in ${result.recording}`,
    `done\n${counts(done)}`,
    ...(Object.keys(killed).length === 0 ? [] : [`killed\n${counts(killed)}`]),
    vips,
    growthText(samples),
    verdictText(verdicts),
    ...unmet.map(text => `BROKEN  ${text}`),
  ].join('\n\n')
}

/** Broken rules in words; empty where all held. */
export function failuresOf({ verdicts, unmet }: Pick<SoakResult, 'verdicts' | 'unmet'>): string[] {
  const broken = verdicts.filter(({ violations }) => violations.length > 0)
  return [...broken.map(({ name, violations }) => `${name}: ${violations.length}`), ...unmet]
}

/** What each part used at rest before and after, and how that grew in between. */
export function growthText(samples: readonly Sample[]): string {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) return 'no look was taken at what it uses'
  const row = (name: string, value: (sample: Sample) => number | undefined): (string | number)[] => {
    const points = samples.flatMap(sample => {
      const here = value(sample)
      return here === undefined ? [] : [{ at: sample.at, value: here }]
    })
    // What is compiled, pooled and cached in the beginning is no growth.
    const slope = slopePerHour(points.slice(points.length / 2))
    return [name, value(first) ?? '', value(last) ?? '', Number.isFinite(slope) ? slope.toFixed(1) : '']
  }
  const parts = Object.keys(last.parts).flatMap(name => [
    row(`${name}: RSS MiB`, sample => sample.parts[name]?.rss),
    row(`${name}: anonymous (heap) MiB`, sample => sample.parts[name]?.heap),
    row(`${name}: descriptors`, sample => sample.parts[name]?.descriptors),
  ])
  return table(
    ['uses', 'before', 'after', 'growth per hour, later half'],
    [
      ...parts,
      row('processes', ({ processes }) => processes),
      row('role processes', ({ roles }) => roles),
      row('files in the data folder', ({ files }) => files),
      row('MiB in the data folder', ({ disk }) => disk),
    ],
  )
}
