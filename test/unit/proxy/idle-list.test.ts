import t from 'tap'
import { IdleCount, IdleList, type Retirable } from '../../../proxy/routing/idle-list.ts'

function connection(retireAt: number, retired: number[]): Retirable {
  return { retireAt, retire: () => void retired.push(retireAt) }
}

void t.test('connections come back last in first out, and all lists are counted together', t => {
  const count = new IdleCount()
  const [one, other] = [new IdleList(count), new IdleList(count)]
  const retired: number[] = []
  const [a, b, c] = [connection(1, retired), connection(2, retired), connection(3, retired)]
  one.push(a)
  one.push(b)
  other.push(c)
  t.equal(count.value, 3)
  t.equal(one.pop(), b)
  one.delete(b)
  one.delete(c)
  t.equal(count.value, 2, 'what is not in is not counted away')
  other.delete(c)
  t.equal(other.pop(), undefined)
  t.equal(count.value, 1)
  t.same(retired, [])
  t.end()
})

void t.test('what is idle for too long is closed, or all', t => {
  const count = new IdleCount()
  const list = new IdleList(count)
  const retired: number[] = []
  for (const at of [50, 10, 40, 20, 30]) list.push(connection(at, retired))
  list.retireStale(30)
  t.same(
    retired.toSorted((a, b) => a - b),
    [10, 20, 30],
  )
  t.equal(count.value, 2)
  // An HTTP/2 session takes itself out when it is closed.
  const session: Retirable = { retireAt: 60, retire: () => list.delete(session) }
  list.push(session)
  list.retireAll()
  t.equal(count.value, 0)
  t.equal(retired.length, 5)
  t.end()
})
