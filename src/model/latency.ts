import { BUCKETS, countOf, lowerBoundMs, quantileMs, type SparseBuckets } from '../core/histogram.ts'
import type { Durations } from './ledger-row.ts'

/** How long requests took, in milliseconds. */
export interface Latency {
  readonly count: number
  readonly meanMs: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
}

/** Where the range of the histogram ends: JSON has no word for what lies above. */
const END_MS = lowerBoundMs(BUCKETS - 1)

/** A quantile in milliseconds; null where nothing was counted, the end of the range for what lies above it. */
export function quantileOf(buckets: SparseBuckets, q: number): number | null {
  const ms = quantileMs(buckets, q)
  return ms === null ? null : Math.min(ms, END_MS)
}

/** Counted durations in figures; null where there are none. */
export function latencyOf(durations: Durations | undefined): Latency | null {
  const count = countOf(durations?.buckets ?? [])
  if (durations === undefined || count <= 0) return null
  const { buckets, sumUs } = durations
  const quantile = (q: number): number => quantileOf(buckets, q) ?? 0
  return {
    count,
    meanMs: sumUs / count / 1000,
    p50Ms: quantile(0.5),
    p90Ms: quantile(0.9),
    p99Ms: quantile(0.99),
    p999Ms: quantile(0.999),
  }
}
