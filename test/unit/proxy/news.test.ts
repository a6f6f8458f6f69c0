import t from 'tap'
import { News } from '../../../proxy/worker/news.ts'

void t.test('while one is on its way no other is made', async t => {
  const sent: number[] = []
  let left = (): void => {}
  const news = new News<number>((message, done) => {
    sent.push(message)
    left = done
  })
  let made = 0
  const tell = (): boolean => news.tell(() => ++made)
  t.equal(tell(), true)
  for (let round = 0; round < 100; round++) t.equal(tell(), false)
  t.equal(made, 1)
  left()
  t.equal(tell(), true)
  t.same(sent, [1, 2])
})
