import fc from 'fast-check'
import t from 'tap'
import { HoldQueue } from '../../../proxy/hold/hold-queue.ts'
import type { Place, Waiting } from '../../../proxy/hold/waiting-line.ts'
import { DEFAULT_LIMITS } from '../../../src/contracts/routing.ts'
import { poolUnderTest } from '../../support/pools.ts'

/** Waits until `mayGo`; writes down what it is told. */
class Waiter implements Waiting {
  place: Place | null = null
  readonly name: string
  readonly heldSince: number
  readonly heldBytes: number
  readonly #queue: HoldQueue
  readonly #told: string[]
  readonly #mayGo: () => boolean

  constructor(queue: HoldQueue, told: string[], name: string, heldSince: number, bytes: number, mayGo: () => boolean) {
    this.#queue = queue
    this.#told = told
    this.name = name
    this.heldSince = heldSince
    this.heldBytes = bytes
    this.#mayGo = mayGo
  }

  tryAgain(): void {
    this.#told.push(`${this.name} tries`)
    if (this.#mayGo()) this.#queue.leave(this)
  }

  expire(): void {
    this.#told.push(`${this.name} expires`)
    this.#queue.leave(this)
  }
}

void t.test('who waits goes in order, one after the other as long as they get what they wait for', t => {
  const { state } = poolUnderTest()
  const queue = new HoldQueue(new Map([['p', state]]))
  const told: string[] = []
  let room = 0
  const waiter = (name: string, since: number): Waiter =>
    new Waiter(queue, told, name, since, 1, () => {
      room--
      return room >= 0
    })
  const [old, young, youngest] = [waiter('old', 1), waiter('young', 40), waiter('youngest', 50)]
  for (const one of [old, young, youngest]) t.ok(queue.join(one, state, 3, 100))
  t.notOk(queue.join(waiter('too late', 60), state, 3, 100))
  t.equal(queue.size, 3)
  room = 1
  queue.letGo(state)
  t.same(told.splice(0), ['old tries', 'young tries'])
  t.ok(queue.join(old, state, 3, 100))
  t.equal(state.line.first?.waiting, old, 'it was the first and is again')
  queue.expireAt(101, { ...DEFAULT_LIMITS, holdTimeoutMs: 100 })
  t.same(told.splice(0), ['old expires'], 'by its own deadline')
  room = 9
  queue.tryAgain()
  t.same(told.splice(0), ['young tries', 'youngest tries'])
  t.equal(queue.size, 0)
  t.end()
})

void t.test('bytes are bounded over the line, also as more of a body comes in', t => {
  const { state } = poolUnderTest()
  const queue = new HoldQueue(new Map([['p', state]]))
  const waiter = (bytes: number): Waiter => new Waiter(queue, [], 'x', 1, bytes, () => false)
  const first = waiter(60)
  t.ok(queue.join(first, state, 10, 100))
  t.notOk(queue.join(waiter(41), state, 10, 100))
  t.ok(queue.join(waiter(20), state, 10, 100))
  t.ok(queue.grow(first, 20, 100))
  t.notOk(queue.grow(first, 1, 100))
  queue.leave(first)
  t.equal(state.line.bytes, 20)
  t.end()
})

void t.test('a line is always in the order in which its members began to wait', t => {
  const step = fc.record({
    kind: fc.constantFrom('join', 'join', 'leave', 'come back'),
    which: fc.nat(),
    since: fc.nat(5),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), steps => {
      const { state } = poolUnderTest()
      const queue = new HoldQueue(new Map([['p', state]]))
      const there: Waiter[] = []
      const gone: Waiter[] = []
      let now = 1
      for (const { kind, which, since } of steps) {
        now += since
        if (kind === 'join') {
          const one = new Waiter(queue, [], 'x', now, which % 50, () => false)
          queue.join(one, state, 1000, 1e9)
          there.push(one)
        } else if (kind === 'leave') {
          const [one] = there.splice(which % Math.max(1, there.length), 1)
          if (one !== undefined) {
            queue.leave(one)
            gone.push(one)
          }
        } else {
          const one = gone.pop()
          if (one !== undefined) {
            queue.join(one, state, 1000, 1e9)
            there.push(one)
          }
        }
        const line: number[] = []
        for (let place = state.line.first; place !== null; place = place.after) line.push(place.waiting.heldSince)
        const back: number[] = []
        for (let place = state.line.last; place !== null; place = place.before) back.push(place.waiting.heldSince)
        const expected = there.map(({ heldSince }) => heldSince).toSorted((a, b) => a - b)
        if (line.join() !== expected.join() || back.reverse().join() !== expected.join()) return false
        if (state.line.count !== there.length) return false
        if (state.line.bytes !== there.reduce((sum, { heldBytes }) => sum + heldBytes, 0)) return false
      }
      return true
    }),
  )
  t.end()
})
