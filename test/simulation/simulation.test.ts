import t from 'tap'
import { SCRIPTS } from './scripts.ts'
import { simulate, type Outcome } from './simulate.ts'

const BUSY_MS = 10_000

function violations(outcomes: readonly Outcome[]): string[] {
  // One is enough to read.
  return outcomes.flatMap(({ violation }) => violation ?? []).slice(0, 1)
}

t.test('whatever dies and is asked for, no rule is broken and everything comes to its end', async t => {
  const outcomes = Array.from({ length: 150 }, (_, index) => simulate(index + 1, { busyMs: BUSY_MS }))
  t.strictSame(violations(outcomes), [])
  const total = (of: (outcome: Outcome) => number): number => outcomes.reduce((sum, outcome) => sum + of(outcome), 0)
  t.ok(total(({ commits }) => commits) > 5000, 'enough happened')
  t.ok(total(({ kills }) => kills) > 300, 'and enough died')
  const seen = new Set(outcomes.flatMap(({ operations }) => Object.keys(operations)))
  for (const kind of ['create', 'swap', 'upgrade', 'walk', 'rollback', 'scale', 'suspend', 'delete', 'reboot']) {
    t.ok(seen.has(`${kind} Succeeded`), `${kind} was tried to its end`)
  }
})

t.test('a controller that dies at any one commit of a run is taken over', async t => {
  const whole = simulate(7, { busyMs: 6000, kill: () => null })
  t.equal(whole.violation, null)
  const outcomes = Array.from({ length: whole.commits }, (_, index) =>
    simulate(7, { busyMs: 6000, kill: commit => (commit === index + 1 ? (index % 2 ? 'before' : 'after') : null) }),
  )
  t.strictSame(violations(outcomes), [])
})

t.test('a controller that dies at any third step of any operation is taken over', async t => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    const whole = simulate(1, { busyMs: 12_000, script, kill: () => null })
    t.equal(whole.violation, null, name)
    const outcomes: Outcome[] = []
    for (let point = 1; point <= whole.commits; point += 3) {
      const side = point % 2 === 0 ? 'before' : 'after'
      outcomes.push(simulate(1, { busyMs: 12_000, script, kill: commit => (commit === point ? side : null) }))
    }
    t.strictSame(violations(outcomes), [], name)
  }
})

t.test('the same seed gives the same run', async t => {
  t.strictSame(simulate(11, { busyMs: BUSY_MS }), simulate(11, { busyMs: BUSY_MS }))
})
