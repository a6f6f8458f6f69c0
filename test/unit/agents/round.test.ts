import t from 'tap'
import { Round } from '../../../agents/round.ts'
import { until } from '../../support/until.ts'

t.test('all who take part are called in the same turn, and nobody who has left', async t => {
  const round = new Round(5)
  const calls: string[] = []
  const leaves = ['a', 'b', 'c'].map(name => round.join(() => calls.push(name)))
  await until('there were some rounds', () => calls.length >= 6)
  t.strictSame(calls.slice(0, 6), ['a', 'b', 'c', 'a', 'b', 'c'])
  leaves[1]?.()
  calls.length = 0
  await until('there were more', () => calls.length >= 4)
  t.strictSame(calls.slice(0, 4), ['a', 'c', 'a', 'c'])
  for (const leave of leaves) leave()
  calls.length = 0
  // One that leaves in its own call keeps nobody from theirs; nor is it called again.
  const leave = round.join(() => {
    calls.push('once')
    leave()
  })
  const other = round.join(() => calls.push('other'))
  await until('both were called', () => calls.filter(name => name === 'other').length >= 2)
  t.strictSame(calls.slice(0, 3), ['once', 'other', 'other'])
  other()
})
