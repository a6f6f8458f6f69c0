import t from 'tap'
import { growthOf } from './cycles.ts'
import { slopePerHour, type Sample } from './resources.ts'

function sample(at: number, rss: number, rest: { descriptors?: number; files?: number } = {}): Sample {
  const { descriptors = 20, files = 40 } = rest
  const parts = { controller: { pid: 1, rss, heap: rss / 2, descriptors } }
  return { at, parts, roles: 2, processes: 8, files, disk: 1 }
}

/** What grew by more than is allowed. */
function grown(samples: readonly Sample[], cycles = 500): string[] {
  return growthOf(samples, cycles)
    .filter(({ before, after, allowed }) => after > before * (1 + allowed / 100))
    .map(({ what }) => what)
}

t.test('memory is compared by its floor, descriptors at rest', async t => {
  const teeth = Array.from({ length: 41 }, (_, n) => sample(n, n < 10 ? 80 : 140 + (n % 7) * 9))
  t.same(grown(teeth), [], 'up and down, after it has filled up')
  const leak = Array.from({ length: 41 }, (_, n) => sample(n, 100 + n + (n % 7) * 9))
  t.same(grown(leak), ['controller: RSS MiB, least'])
  t.same(grown(leak, 100), [], 'a short run says nothing of memory')
  t.same(grown([...teeth, sample(41, 140, { descriptors: 21 })]), ['controller: descriptors'])
  const filled = Array.from({ length: 41 }, (_, n) => sample(n, 100, { files: 40 + Math.floor(n / 4) }))
  t.same(grown(filled), ['files in the data folder, least'])
})

t.test('growth per hour is that of the line through all looks', async t => {
  const at = (seconds: number, value: number): { at: number; value: number } => ({ at: seconds, value })
  t.equal(slopePerHour([at(0, 10), at(10, 11), at(20, 12)]), 360)
  t.equal(slopePerHour([at(0, 10), at(10, 10)]), 0)
  t.ok(Number.isNaN(slopePerHour([at(0, 10)])))
})
