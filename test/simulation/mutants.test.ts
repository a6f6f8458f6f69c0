import t from 'tap'
import { MUTANTS } from './mutants.ts'
import { simulate, type Failure } from './simulate.ts'

/** The first seed of 200 at which a broken rule is noticed. */
function caught(name: string): { seed: number; failure: Failure } | null {
  const rules = MUTANTS[name]?.rules
  for (let seed = 1; seed <= 200 && rules !== undefined; seed++) {
    const { failure } = simulate(seed, { rules })
    if (failure !== null) return { seed, failure }
  }
  return null
}

t.ok(Object.keys(MUTANTS).length >= 6)
for (const [name, { breaks, caughtBy }] of Object.entries(MUTANTS)) {
  t.test(`noticed within 200 seeds: ${name} (${breaks})`, async t => {
    const found = caught(name)
    t.ok(found !== null, 'a run fails')
    t.ok(
      caughtBy.some(rule => rule === found?.failure.rule),
      `seed ${found?.seed}: ${found?.failure.message.split('\n')[0]}`,
    )
  })
}
