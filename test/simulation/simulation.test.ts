import t from 'tap'
import { FAULTS } from './faults.ts'
import { describe, shrink } from './shrink.ts'
import { simulate, type Outcome } from './simulate.ts'
import { VERBS } from './verbs.ts'

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

t.test('seeds that broke a rule once', async t => {
  for (const [seed, why] of [
    [664, 'what began to cycle in the very input that began a walk goes along with it'],
    [2480, 'a rollback waits for the domain that an earlier walk left in flight'],
    [8916, 'a new controller takes silence for no error, even where warnings are'],
    [14_231, 'a rollback onto what is up and never answers ends'],
    [19_613, 'a change that fails at its addresses waits for what its predecessor was taking back'],
  ] as const)
    t.equal(simulate(seed).failure, null, why)
})
