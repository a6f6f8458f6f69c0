import { join } from 'node:path'
import t from 'tap'
import { tempDir } from '../../support/temp.ts'
import { failuresOf, soakText } from './report.ts'
import { runSoak } from './soak.ts'

// The soak itself is `npm run soak`; this shows that it still runs, and that every checker finds something to judge.
t.test('a tiny soak holds, and each rule that it can touch was judged', async t => {
  const result = await runSoak(
    {
      seed: 3,
      minutes: 3,
      requests: 60,
      kills: false,
      thinkMs: 300,
      instances: 2,
      only: ['swap'],
      record: join(tempDir(t), 'r'),
    },
    text => t.comment(text),
  )
  t.same(failuresOf(result), [], soakText(result))
  t.ok(result.requests >= 60)
  t.same(
    result.availability.map(({ vip }) => vip).sort((a, b) => a.localeCompare(b)),
    ['production', 'production by https', 'staging'],
  )
  const nothing = result.verdicts.filter(({ judged }) => judged === 0).map(({ name }) => name)
  t.same(
    nothing.filter(name => !/domain|versions|streams/.test(name)),
    [],
    'what depends on the dice aside',
  )
  const [first, last] = [result.samples[0], result.samples.at(-1)]
  t.equal(last?.processes, first?.processes, 'as many processes as before')
})
