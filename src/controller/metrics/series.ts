import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { countBelow, countOf } from '../../core/histogram.ts'
import type { Durations } from '../../model/ledger-row.ts'

/** Adds to one series; series of the same labels are summed. */
export type Put<L extends string> = (labels: Record<L, string>, value: number) => void

interface Described<L extends string> {
  readonly type: 'counter' | 'gauge'
  readonly name: string
  readonly help: string
  readonly labels: readonly L[]
}

/** A metric that is read, whole, whenever it is asked for: what `collect` does not put is not there any more. */
export function addSeries<L extends string>(
  registry: Registry,
  { type, name, help, labels }: Described<L>,
  collect: (put: Put<L>) => void,
): void {
  const Kind = type === 'counter' ? Counter<L> : Gauge<L>
  registry.registerMetric(
    new Kind({
      name,
      help,
      labelNames: labels,
      registers: [],
      collect() {
        this.reset()
        collect((of, value) => this.inc(of, value))
      },
    }),
  )
}

/** From 0.625 ms to 82 s, doubling: bounds that buckets of ours have too, so that the counts are exact. */
const BOUNDS_MS = Array.from({ length: 18 }, (_, doubling) => 0.625 * 2 ** doubling)

interface Printed {
  readonly name: string
  readonly help: string
  readonly type: 'histogram'
  readonly aggregator: 'sum'
  readonly values: { labels: Record<string, string | number>; value: number; metricName: string }[]
}

/** A histogram in seconds whose counts were taken elsewhere. A duration equal to a bound counts above it. */
export class DurationHistogram<L extends string> extends Histogram<L> {
  readonly #name: string
  readonly #help: string
  readonly #read: () => Iterable<readonly [labels: Record<L, string>, durations: Durations]>

  constructor(
    { name, help, labels }: Omit<Described<L>, 'type'>,
    read: () => Iterable<readonly [labels: Record<L, string>, durations: Durations]>,
  ) {
    super({ name, help, labelNames: [...labels], buckets: BOUNDS_MS.map(ms => ms / 1000), registers: [] })
    this.#name = name
    this.#help = help
    this.#read = read
  }

  /** What the registry prints: prom-client's own method of this name, which its types leave out. */
  async getForPromString(): Promise<Printed> {
    const name = this.#name
    const values: Printed['values'] = []
    for (const [labels, { sumUs, buckets }] of this.#read()) {
      const bucket = `${name}_bucket`
      for (const ms of BOUNDS_MS) {
        values.push({ labels: { le: ms / 1000, ...labels }, value: countBelow(buckets, ms), metricName: bucket })
      }
      const count = countOf(buckets)
      values.push({ labels: { le: '+Inf', ...labels }, value: count, metricName: bucket })
      values.push({ labels, value: sumUs / 1e6, metricName: `${name}_sum` })
      values.push({ labels, value: count, metricName: `${name}_count` })
    }
    return { name, help: this.#help, type: 'histogram', aggregator: 'sum', values }
  }
}
