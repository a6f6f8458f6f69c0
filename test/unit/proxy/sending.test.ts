import t from 'tap'
import { Sending } from '../../../proxy/connections/sending.ts'

void t.test('each is done once: when it was sent, or when all is lost', async t => {
  const sending = new Sending()
  const done: string[] = []
  const first = sending.begin(() => done.push('first'))
  sending.begin(() => done.push('second'))
  let isOver = false
  const none = sending.none().then(() => {
    isOver = true
  })
  first()
  first()
  t.same(done, ['first'])
  await Promise.resolve()
  t.equal(isOver, false)
  sending.lost()
  t.same(done, ['first', 'second'])
  await none
  await sending.none()
})
