import t from 'tap'
import { MUTANTS } from './mutants.ts'
import { describe, planWith, shrink } from './shrink.ts'
import { simulate } from './simulate.ts'

t.test('the same seed gives the same run', async t => {
  t.strictSame(simulate(11), simulate(11))
})

t.test('a failure is shrunk, and comes again from its seed and what is left of it', async t => {
  const rules = MUTANTS['silence is an exit']?.rules
  t.ok(rules !== undefined)
  if (rules === undefined) return
  const failed = Array.from({ length: 200 }, (_, index) => index + 1).find(
    seed => simulate(seed, { rules }).failure !== null,
  )
  t.ok(failed !== undefined)
  if (failed === undefined) return
  const shrunk = shrink(failed, { rules })
  t.ok(shrunk !== null)
  if (shrunk === null) return
  t.ok(shrunk.keep.length < shrunk.of / 2, `${shrunk.keep.length} of ${shrunk.of} happenings are left`)
  const again = simulate(failed, { rules, plan: planWith(failed, shrunk.keep) })
  t.equal(again.failure?.message, shrunk.failure.message)
  t.match(describe(again, shrunk), new RegExp(`--from ${failed} --keep ${shrunk.keep.join(',')}`))
  for (const left of shrunk.keep) {
    const fewer = planWith(
      failed,
      shrunk.keep.filter(id => id !== left),
    )
    t.not(simulate(failed, { rules, plan: fewer }).failure?.rule, shrunk.failure.rule, `without ${left} nothing fails`)
  }
})
