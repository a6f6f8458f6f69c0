import type { PacedRecords } from './paced.ts'
import { median, quantileSorted } from './statistics.ts'

/** One swap on the clock of `now()`. */
export interface SwapTime {
  /** Just before the new table was sent. */
  readonly pushedAt: number
  readonly acknowledgedAt: number
  /** The label of the side that answers from then on. */
  readonly to: string
}

/** Milliseconds, over all swaps of a run. */
export interface SwapSummary {
  /** p99.9 of the requests due in the seconds that end half a second before each swap. */
  readonly before: number
  /** p99.9 of those due in the seconds around each swap. */
  readonly around: number
  /** Median time from a push to its acknowledgement. */
  readonly switchMs: number
  /** p99 latency of what was due between a push and its acknowledgement: what the gate held, and what met it. */
  readonly holdP99: number
  /** Requests without a good answer. */
  readonly failed: number
  /** Due after an acknowledgement, and before the next push, but answered by the old side. */
  readonly wrongSide: number
}

/** Half of the second around a swap. */
const HALF_MS = 500

export function summariseSwaps(records: PacedRecords, swaps: readonly SwapTime[]): SwapSummary {
  const before: number[] = []
  const around: number[] = []
  const during: number[] = []
  let wrongSide = 0
  for (let index = 0; index < records.length; index++) {
    const label = records.label(index)
    if (label === '') continue
    const due = records.dueAt(index)
    const latency = records.latency(index)
    let last: SwapTime | undefined
    for (const swap of swaps) {
      const since = due - swap.pushedAt
      if (since >= -3 * HALF_MS && since < -HALF_MS) before.push(latency)
      else if (since >= -HALF_MS && since < HALF_MS) around.push(latency)
      if (since >= 0) last = swap
      if (since >= 0 && due <= swap.acknowledgedAt) during.push(latency)
    }
    const next = last === undefined ? undefined : swaps[swaps.indexOf(last) + 1]
    // One that was still on its way at the next push may have met either side.
    const settled = next === undefined || due + latency < next.pushedAt
    if (last !== undefined && due > last.acknowledgedAt && settled && label !== last.to) wrongSide++
  }
  const sorted = (values: readonly number[]): Float64Array => Float64Array.from(values).sort()
  return {
    before: quantileSorted(sorted(before), 0.999),
    around: quantileSorted(sorted(around), 0.999),
    switchMs: median(swaps.map(swap => swap.acknowledgedAt - swap.pushedAt)),
    holdP99: quantileSorted(sorted(during), 0.99),
    failed: records.failed,
    wrongSide,
  }
}
