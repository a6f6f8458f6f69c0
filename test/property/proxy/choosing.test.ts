import fc from 'fast-check'
import t from 'tap'
import type { Target } from '../../../src/contracts/routing.ts'
import { chooseTarget } from '../../../proxy/balancing/choose.ts'
import { hashText } from '../../../proxy/balancing/hashing.ts'
import { isUsable } from '../../../proxy/balancing/usable.ts'
import type { TargetState } from '../../../proxy/routing/target.ts'
import { asker, poolUnderTest } from '../../support/pools.ts'
import { randomFrom } from '../../support/random.ts'

const NOW = 1000
const weights = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 8 })
const seed = fc.integer({ min: 1, max: 2 ** 31 - 1 })
const method = fc.constantFrom(
  { balancing: 'least' as const, affinity: 'none' as const },
  { balancing: 'round-robin' as const, affinity: 'none' as const },
  { balancing: 'least' as const, affinity: 'source' as const },
  { balancing: 'round-robin' as const, affinity: 'cookie' as const },
)

function weighted(shares: readonly number[]): Record<string, Partial<Target>> {
  return Object.fromEntries(shares.map((weight, index) => [`web_IN_${index}`, { weight }]))
}

/** How far from `share` of `total` chance alone may lead: six standard deviations, of some thousand looks in a run. */
function chance(total: number, share: number): number {
  return 6 * Math.sqrt(total * share * (1 - share)) + 1
}

void t.test('idle instances are chosen as often as their weights say, by every method', t => {
  fc.assert(
    fc.property(weights, method, seed, (shares, policy, start) => {
      const pool = poolUnderTest(policy)
      const compiled = pool.apply(weighted(shares))
      const sum = shares.reduce((a, b) => a + b)
      const total = sum * 300
      const random = randomFrom(start)
      const counts = new Map<TargetState, number>()
      for (let n = 0; n < total; n++) {
        const clientHash = hashText(`10.${start % 256}.${n >> 8}.${n & 255}`)
        const target = chooseTarget(compiled, asker({ clientHash }), NOW, random)
        if (target === null) return false
        counts.set(target, (counts.get(target) ?? 0) + 1)
      }
      const isExact = policy.balancing === 'round-robin'
      return compiled.ready.every((target, index) => {
        const share = (shares[index] ?? 0) / sum
        const off = Math.abs((counts.get(target) ?? 0) - total * share)
        return isExact ? off < 1e-6 : off <= chance(total, share)
      })
    }),
    { numRuns: 60 },
  )
  t.end()
})

void t.test('in turn, an instance of weight w is never ahead or behind by more than a round', t => {
  fc.assert(
    fc.property(weights, shares => {
      const pool = poolUnderTest({ balancing: 'round-robin' })
      const sum = shares.reduce((a, b) => a + b)
      const counts = new Map<TargetState, number>()
      for (let n = 1; n <= sum * 3; n++) {
        // A new table in between changes nothing.
        const compiled = pool.apply(weighted(shares))
        const target = chooseTarget(compiled, asker(), NOW)
        if (target === null) return false
        counts.set(target, (counts.get(target) ?? 0) + 1)
        for (const [index, one] of compiled.ready.entries()) {
          if (Math.abs((counts.get(one) ?? 0) - (n * (shares[index] ?? 0)) / sum) >= shares.length) return false
        }
      }
      return true
    }),
    { numRuns: 60 },
  )
  t.end()
})

void t.test('busy instances have in flight what their weights say', t => {
  fc.assert(
    fc.property(weights, seed, (shares, start) => {
      const pool = poolUnderTest()
      const compiled = pool.apply(weighted(shares))
      const random = randomFrom(start)
      const sum = shares.reduce((a, b) => a + b)
      const open: TargetState[] = []
      // The mean over time: what is in flight at one moment is chance's as well.
      const means = compiled.ready.map(() => 0)
      let samples = 0
      for (let n = 0; n < sum * 200; n++) {
        const target = chooseTarget(compiled, asker(), NOW, random)
        if (target === null) return false
        target.inFlight++
        open.push(target)
        if (open.length <= sum * 20) continue
        const [ended] = open.splice(Math.floor(random() * open.length), 1)
        if (ended !== undefined) ended.inFlight--
        samples++
        for (const [index, { inFlight, weight }] of compiled.ready.entries()) {
          means[index] = (means[index] ?? 0) + (inFlight / weight - (means[index] ?? 0)) / samples
        }
      }
      return means.every(mean => Math.abs(mean - 20) < 2)
    }),
    { numRuns: 40 },
  )
  t.end()
})

const condition = fc.record({
  weight: fc.integer({ min: 1, max: 5 }),
  state: fc.constantFrom('in' as const, 'in' as const, 'in' as const, 'draining' as const),
  inFlight: fc.integer({ min: 0, max: 4 }),
  cap: fc.constantFrom(Infinity, Infinity, 4, 2),
  health: fc.constantFrom('good' as const, 'good' as const, 'suspect' as const, 'ejected' as const, 'due' as const),
  trials: fc.integer({ min: 0, max: 1 }),
  tried: fc.boolean(),
  slowStart: fc.boolean(),
})

void t.test('nobody gets what is draining, full, failed or tried while there is another', t => {
  fc.assert(
    fc.property(
      fc.array(condition, { minLength: 1, maxLength: 6 }),
      method,
      seed,
      fc.boolean(),
      fc.integer({ min: 0, max: 5 }),
      (conditions, policy, start, isWaiting, wanted) => {
        const pool = poolUnderTest({ ...policy, slowStartMs: 5000 })
        const before = Object.fromEntries(
          conditions.map(({ slowStart }, n) => [`i${n}`, slowStart ? null : {}] as const),
        )
        const first: Record<string, Partial<Target>> = {}
        for (const [name, change] of Object.entries(before)) if (change !== null) first[name] = change
        pool.apply(first)
        const compiled = pool.apply(
          Object.fromEntries(conditions.map(({ weight, state }, n) => [`i${n}`, { weight, state }])),
          NOW - 1,
        )
        const tried = new Set<TargetState>()
        for (const [n, one] of conditions.entries()) {
          const target = pool.target(`i${n}`)
          target.inFlight = one.inFlight
          target.cap = one.cap
          target.ejected = one.health === 'ejected' || one.health === 'due'
          target.avoidUntil = one.health === 'good' ? 0 : one.health === 'due' ? NOW - 1 : NOW + 1
          target.trials = one.health === 'good' ? 0 : one.trials
          if (one.tried) tried.add(target)
        }
        const random = randomFrom(start)
        for (let n = 0; n < 10; n++) {
          const asking = asker({
            tried: tried.size > 0 ? tried : null,
            isWaiting,
            clientHash: hashText(`${start}/${n}`),
            wanted: pool.state.targets.get(`i${wanted}`)?.token ?? '',
          })
          const target = chooseTarget(compiled, asking, NOW, random)
          const usable = compiled.ready.filter(one => isUsable(one, asking.tried, NOW))
          if (usable.length > 0) {
            if (target === null || !usable.includes(target)) return false
            continue
          }
          const untried = compiled.ready.filter(one => !tried.has(one))
          // Only full: worth waiting for.
          if (untried.some(one => one.avoidUntil === 0)) {
            if (target !== null) return false
            continue
          }
          if (target === null) continue
          if (target.state !== 'in' || target.inFlight >= target.cap) return false
          if (untried.length > 0 && tried.has(target)) return false
          if (isWaiting && untried.length > 0 && !target.ejected) return false
        }
        return true
      },
    ),
    { numRuns: 2000 },
  )
  t.end()
})

void t.test('an instance that comes or goes moves only its own share of the clients', t => {
  fc.assert(
    fc.property(weights, fc.nat(), seed, (shares, which, start) => {
      const pool = poolUnderTest({ affinity: 'source' })
      const all = weighted(shares)
      const gone = `web_IN_${which % shares.length}`
      const clients = Array.from({ length: 500 }, (_, n) => hashText(`2001:db8::${start.toString(16)}:${n}`))
      const place = (targets: Record<string, Partial<Target>>): (string | undefined)[] => {
        const compiled = pool.apply(targets)
        return clients.map(clientHash => chooseTarget(compiled, asker({ clientHash }), NOW)?.instance)
      }
      const before = place(all)
      const { [gone]: _, ...others } = all
      const without = place(others)
      const after = place(all)
      return before.every(
        (instance, n) => instance === after[n] && (instance === gone ? without[n] !== gone : without[n] === instance),
      )
    }),
    { numRuns: 60 },
  )
  t.end()
})
