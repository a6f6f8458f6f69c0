import { test } from 'tap'
import { Gate } from '../../../proxy/worker/gate.ts'

test('who leaves the gate while others are let go is not let go', async t => {
  const gate = new Gate()
  const told: string[] = []
  const second = { heldBytes: 0, onGateOpen: () => told.push('second'), expire: () => told.push('second expired') }
  const first = {
    heldBytes: 0,
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
    heldBytes: 0,
    onGateOpen: () => {
      told.push('third')
      gate.wait(third, 10, 100)
    },
    expire: () => told.push('third expired'),
  }
  for (const waiter of [first, second, third]) gate.wait(waiter, 10, 100)
  gate.release()
  t.strictSame(told, ['first', 'third'], 'and who waits again is told again only next time')
  told.length = 0
  for (const waiter of [first, second]) gate.wait(waiter, 10, 100)
  gate.expire()
  t.strictSame(told, ['third expired', 'first expired'])
})

test('no more wait than may, by number and by bytes', async t => {
  const gate = new Gate()
  const waiter = (heldBytes: number) => ({ heldBytes, onGateOpen: () => {}, expire: () => {} })
  const [first, second, third] = [waiter(60), waiter(50), waiter(0)]
  t.equal(gate.wait(first, 2, 100), true)
  t.equal(gate.wait(second, 2, 100), false, 'too many bytes')
  t.equal(gate.grow(second, 1000, 100), true, 'it does not wait here')
  t.equal(gate.wait(third, 2, 100), true)
  t.equal(gate.grow(third, 40, 100), true)
  t.equal(gate.grow(third, 1, 100), false)
  t.equal(gate.wait(waiter(0), 2, 1000), false, 'too many')
  gate.leave(third)
  gate.leave(third)
  t.equal(gate.wait(waiter(40), 2, 100), true, 'what it had is free again')
  gate.release()
  t.equal(gate.wait(waiter(100), 2, 100), true)
})
