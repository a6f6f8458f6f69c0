import t from 'tap'
import { Turns } from '../../../proxy/holder/turns.ts'

void t.test('one after the other, the first in this very step, and a failure holds nobody up', async t => {
  const turns = new Turns()
  const told: string[] = []
  let goOn = (): void => {}
  const first = turns.take(async () => {
    told.push('first begins')
    await new Promise<void>(resolve => (goOn = resolve))
    told.push('first ends')
  })
  t.same(told, ['first begins'])
  const second = turns.take(async () => {
    told.push('second')
    throw new Error('no')
  })
  const third = turns.take(async () => void told.push('third'))
  goOn()
  await first
  await t.rejects(second, { message: 'no' })
  await third
  t.same(told, ['first begins', 'first ends', 'second', 'third'])
  const later = turns.take(async () => void told.push('later'))
  t.equal(told.at(-1), 'later', 'nothing is under way')
  await later
})
