import t from 'tap'
import { Prng } from '../../simulation/prng.ts'
import { DIVERGENCES } from './fuzz/divergences.ts'
import { fuzzAnswer, fuzzRequests, newTally, type Finding } from './fuzz/fuzz.ts'

// `npm run fuzz -- --seconds N --seed S` looks longer. What differs from Node's parser and may is in fuzz/divergences.ts.

const ROUNDS = 6000

for (const [what, one] of [
  ['request', fuzzRequests],
  ['answer', fuzzAnswer],
] as const) {
  void t.test(`each ${what} is read as Node reads it, whole or in pieces, and again after it is forwarded`, async t => {
    const random = new Prng(20_260_101)
    const tally = newTally()
    const findings: Finding[] = []
    for (let round = 0; round < ROUNDS && findings.length < 5; round++) {
      const found = await one(random, tally)
      if (found !== null) findings.push(found)
    }
    t.same(findings, [])
    t.ok(tally.both > ROUNDS / 6, `${tally.both} were taken by both`)
    t.ok(tally.neither > ROUNDS / 10, `${tally.neither} by neither`)
    for (const divergence of DIVERGENCES) {
      if (divergence.of !== what || divergence.seldom === true) continue
      t.ok((tally.divergences.get(divergence) ?? 0) > 0, `met: ${divergence.rule}`)
    }
  })
}
