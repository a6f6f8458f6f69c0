/**
 * A fixed histogram of durations: eight buckets to each doubling, from 31 µs to 131 s, so that every bound is at most
 * 12.5 % above the one before. Below are eight buckets of 4 µs, above is one for all the rest. Bounds are the same for ever
 * and everywhere, so counts of many workers and moments can be added and subtracted.
 */
const SUB_BITS = 3
const SUBS = 1 << SUB_BITS
/** Smallest unit: 2^-8 ms. */
const UNITS_PER_MS = 256
/** 2^17 ms. */
const OVERFLOW_UNITS = 2 ** 25
const OVERFLOW = (25 - SUB_BITS + 1) * SUBS

/** How many buckets there are. */
export const BUCKETS = OVERFLOW + 1

/** Counts that are not zero: bucket and count in turn, buckets ascending. */
export type SparseBuckets = readonly number[]

/** The bucket of a duration in milliseconds. Less than nothing counts as nothing. */
export function bucketOf(ms: number): number {
  const units = ms * UNITS_PER_MS
  if (!(units >= SUBS)) return units > 0 ? units | 0 : 0
  if (units >= OVERFLOW_UNITS) return OVERFLOW
  const whole = units | 0
  const octave = 31 - Math.clz32(whole)
  return ((octave - SUB_BITS) << SUB_BITS) + (whole >>> (octave - SUB_BITS))
}

/** The least duration of a bucket, in milliseconds; the bucket ends where the next one begins. */
export function lowerBoundMs(bucket: number): number {
  if (bucket < SUBS) return bucket / UNITS_PER_MS
  const octave = (bucket >> SUB_BITS) + SUB_BITS - 1
  return ((SUBS + (bucket & (SUBS - 1))) * 2 ** (octave - SUB_BITS)) / UNITS_PER_MS
}

/** The counts of a typed array from `start` on, without the zeros. */
export function sparseBuckets(counts: Float64Array, start: number): number[] {
  const sparse: number[] = []
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = counts[start + bucket] ?? 0
    if (count !== 0) sparse.push(bucket, count)
  }
  return sparse
}

export function addBuckets(a: SparseBuckets, b: SparseBuckets): number[] {
  return combine(a, b, 1)
}

/** What was counted between two moments. */
export function subtractBuckets(end: SparseBuckets, start: SparseBuckets): number[] {
  return combine(end, start, -1)
}

function combine(a: SparseBuckets, b: SparseBuckets, sign: 1 | -1): number[] {
  const result: number[] = []
  let at = 0
  let bt = 0
  while (at < a.length || bt < b.length) {
    const left = a[at] ?? BUCKETS
    const right = b[bt] ?? BUCKETS
    let count = 0
    if (left <= right) {
      count += a[at + 1] ?? 0
      at += 2
    }
    if (right <= left) {
      count += sign * (b[bt + 1] ?? 0)
      bt += 2
    }
    if (count !== 0) result.push(Math.min(left, right), count)
  }
  return result
}

/** How many durations were counted. */
export function countOf(buckets: SparseBuckets): number {
  let count = 0
  for (let index = 1; index < buckets.length; index += 2) count += buckets[index] ?? 0
  return count
}

/** How many were shorter than `ms`, which must be a bucket's lower bound. */
export function countBelow(buckets: SparseBuckets, ms: number): number {
  const end = bucketOf(ms)
  let count = 0
  for (let index = 0; index < buckets.length; index += 2) {
    if ((buckets[index] ?? 0) >= end) break
    count += buckets[index + 1] ?? 0
  }
  return count
}

/**
 * The duration in milliseconds that a share `q` (0 to 1) did not exceed: the upper bound of the bucket it fell in, so never
 * too small, and at most 12.5 % or 4 µs too large. Null where nothing was counted; Infinity where it lies above the range.
 */
export function quantileMs(buckets: SparseBuckets, q: number): number | null {
  const count = countOf(buckets)
  if (count <= 0) return null
  const rank = Math.max(1, Math.ceil(q * count))
  let seen = 0
  for (let index = 0; index < buckets.length; index += 2) {
    seen += buckets[index + 1] ?? 0
    const bucket = buckets[index] ?? 0
    if (seen >= rank) return bucket === OVERFLOW ? Infinity : lowerBoundMs(bucket + 1)
  }
  return null
}
