import fc from 'fast-check'
import t from 'tap'
import {
  addBuckets,
  bucketOf,
  BUCKETS,
  countBelow,
  countOf,
  lowerBoundMs,
  quantileMs,
  sparseBuckets,
  subtractBuckets,
} from '../../../src/core/histogram.ts'

const durations = fc.array(fc.double({ min: 0, max: 200_000, noNaN: true }), { maxLength: 200 })

function counted(values: readonly number[]): number[] {
  const counts = new Float64Array(BUCKETS + 3)
  for (const ms of values) {
    const place = 3 + bucketOf(ms)
    counts[place] = (counts[place] ?? 0) + 1
  }
  return sparseBuckets(counts, 3)
}

void t.test('every duration lies in its bucket, and buckets grow by an eighth at most', t => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), ms => {
      const bucket = bucketOf(ms)
      if (bucket < 0 || bucket >= BUCKETS || !Number.isInteger(bucket)) return false
      return lowerBoundMs(bucket) <= ms && (bucket === BUCKETS - 1 || ms < lowerBoundMs(bucket + 1))
    }),
    { numRuns: 5000 },
  )
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const low = lowerBoundMs(bucket)
    t.equal(bucketOf(low), bucket, `${low} ms begins bucket ${bucket}`)
    if (bucket >= 8 && bucket < BUCKETS - 1) t.ok(lowerBoundMs(bucket + 1) <= low * 1.125)
  }
  t.equal(lowerBoundMs(8), 1 / 32)
  t.equal(lowerBoundMs(BUCKETS - 1), 131_072)
  for (const odd of [-1, Number.NaN, -Infinity]) t.equal(bucketOf(odd), 0)
  t.equal(bucketOf(Infinity), BUCKETS - 1)
  t.end()
})

void t.test('the bounds that Prometheus is told are bounds of buckets', t => {
  for (let ms = 0.625; ms < 131_072; ms *= 2) t.equal(lowerBoundMs(bucketOf(ms)), ms)
  t.end()
})

void t.test('counting in parts and adding is counting at once; subtracting undoes it', t => {
  fc.assert(
    fc.property(durations, durations, (a, b) => {
      const both = counted([...a, ...b])
      t.strictSame(addBuckets(counted(a), counted(b)), both)
      t.strictSame(subtractBuckets(both, counted(a)), counted(b))
      t.equal(countOf(both), a.length + b.length)
    }),
  )
  t.end()
})

void t.test('a quantile is never below the true one, and at most a bucket above it', t => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 131_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
      fc.constantFrom(0, 0.5, 0.9, 0.99, 0.999, 1),
      (values, q) => {
        const sorted = values.toSorted((x, y) => x - y)
        const exact = sorted[Math.max(1, Math.ceil(q * values.length)) - 1] ?? 0
        const told = quantileMs(counted(values), q) ?? -1
        return told > exact && told <= Math.max(exact * 1.125, exact + 1 / 256) + 1e-9
      },
    ),
  )
  t.equal(quantileMs([], 0.5), null)
  t.equal(quantileMs(counted([200_000]), 0.5), Infinity)
  t.end()
})

void t.test('how many were shorter than a bound', t => {
  fc.assert(
    fc.property(durations, fc.integer({ min: 0, max: 17 }), (values, doubling) => {
      const ms = 0.625 * 2 ** doubling
      return countBelow(counted(values), ms) === values.filter(value => value < ms).length
    }),
  )
  t.end()
})
