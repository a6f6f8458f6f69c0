import t from 'tap'
import { FAULTS } from './faults.ts'
import { MUTANTS } from './mutants.ts'
import { SCRIPTS } from './scripts.ts'
import { describe, planWith, shrink } from './shrink.ts'
import { simulate, type Outcome } from './simulate.ts'
import { VERBS } from './verbs.ts'

function failures(outcomes: readonly Outcome[]): string[] {
  // One is enough to read.
  return outcomes
    .flatMap(({ seed, failure }) => (failure === null ? [] : [`seed ${seed}: ${failure.message}`]))
    .slice(0, 1)
}

t.test('whatever goes wrong and is asked for, no rule is broken and everything comes to its end', async t => {
  const outcomes = Array.from({ length: 300 }, (_, index) => simulate(index + 1))
  const failed = outcomes.find(({ failure }) => failure !== null)
  const shrunk = failed === undefined ? null : shrink(failed.seed)
  t.equal(shrunk === null || failed === undefined ? '' : describe(failed, shrunk), '')
  const total = (of: (outcome: Outcome) => number): number => outcomes.reduce((sum, outcome) => sum + of(outcome), 0)
  t.ok(total(({ commits }) => commits) > 10_000, 'enough happened')
  t.ok(total(({ kills }) => kills) > 300, 'and enough died')
  const seen = new Set(outcomes.flatMap(({ operations }) => Object.keys(operations)))
  for (const kind of ['create', 'swap', 'upgrade', 'walk', 'rollback', 'scale', 'suspend', 'delete', 'reboot']) {
    t.ok(seen.has(`${kind} Succeeded`), `${kind} was tried to its end`)
  }
  const struck = new Set(outcomes.flatMap(({ faults }) => Object.keys(faults)))
  t.strictSame(
    Object.keys(FAULTS).filter(kind => !struck.has(kind)),
    [],
    'every kind of fault has struck',
  )
  const asked = new Set(outcomes.flatMap(({ verbs }) => Object.keys(verbs)))
  t.strictSame(
    Object.keys(VERBS).filter(verb => !asked.has(verb)),
    [],
    'everything was asked for',
  )
})

t.test('a controller that dies at any one commit of a run is taken over', async t => {
  const whole = simulate(7, { busyMs: 6000, kill: () => null })
  t.strictSame(failures([whole]), [])
  const outcomes = Array.from({ length: whole.commits }, (_, index) =>
    simulate(7, { busyMs: 6000, kill: commit => (commit === index + 1 ? (index % 2 ? 'before' : 'after') : null) }),
  )
  t.strictSame(failures(outcomes), [])
})

t.test('a controller that dies at any third step of any operation is taken over', async t => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    const whole = simulate(1, { busyMs: 12_000, script, kill: () => null })
    t.strictSame(failures([whole]), [], name)
    const outcomes: Outcome[] = []
    for (let point = 1; point <= whole.commits; point += 3) {
      const side = point % 2 === 0 ? 'before' : 'after'
      outcomes.push(simulate(1, { busyMs: 12_000, script, kill: commit => (commit === point ? side : null) }))
    }
    t.strictSame(failures(outcomes), [], name)
  }
})

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
