import t from 'tap'
import { SCRIPTS } from './scripts.ts'
import { simulate, type Outcome } from './simulate.ts'

function failures(outcomes: readonly Outcome[]): string[] {
  // One is enough to read.
  return outcomes
    .flatMap(({ seed, failure }) => (failure === null ? [] : [`seed ${seed}: ${failure.message}`]))
    .slice(0, 1)
}

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
