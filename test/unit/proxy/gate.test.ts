import { test } from 'tap'
import { Gate } from '../../../proxy/worker/gate.ts'

test('who leaves the gate while others are let go is not let go', async t => {
  const gate = new Gate()
  const told: string[] = []
  const second = { onGateOpen: () => told.push('second'), expire: () => told.push('second expired') }
  const first = {
    onGateOpen: () => {
      told.push('first')
      gate.leave(second)
    },
    expire: () => {
      told.push('first expired')
      gate.leave(second)
    },
  }
  const third = {
    onGateOpen: () => {
      told.push('third')
      gate.wait(third)
    },
    expire: () => told.push('third expired'),
  }
  for (const waiter of [first, second, third]) gate.wait(waiter)
  gate.release()
  t.strictSame(told, ['first', 'third'], 'and who waits again is told again only next time')
  told.length = 0
  for (const waiter of [first, second]) gate.wait(waiter)
  gate.expire()
  t.strictSame(told, ['third expired', 'first expired'])
})
