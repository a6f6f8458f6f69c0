import t from 'tap'
import { beginDrain, drainAt, endDrain } from '../../../proxy/routing/drain.ts'
import { PoolState } from '../../../proxy/routing/pool-state.ts'
import { TargetState, type InFlight } from '../../../proxy/routing/target.ts'
import { pool, target } from '../../integration/proxy/support.ts'

const SWEEP = 100

function draining(count: number, ms: number, early: boolean) {
  const state = new TargetState(target({ port: 1 }), new PoolState(pool([]), 1))
  const told: number[] = []
  let orderly = 0
  let cut = 0
  let now = 0
  for (let index = 0; index < count; index++) {
    const one: InFlight = {
      openAt: 0,
      endEarly: () => {
        if (!early) return
        told.push(now)
        state.open.delete(one)
      },
      endOrderly: () => orderly++,
      cut: () => cut++,
    }
    state.open.add(one)
  }
  const run = (until: number): void => {
    for (; now <= until; now += SWEEP) drainAt(state, now, now - SWEEP)
  }
  beginDrain(state, 0, ms)
  return { state, run, told, seen: () => ({ orderly, cut, left: state.open.size }) }
}

void t.test('who can come back is told over the last third of a drain, evenly', t => {
  const { run, told, seen } = draining(5000, 30_000, true)
  run(20_000)
  t.same(told, [], 'nobody before')
  run(29_900)
  run(30_000)
  const perSecond = Array.from({ length: 10 }, (_, second) => {
    const from = 20_000 + second * 1000
    return told.filter(at => at > from && at <= from + 1000).length
  })
  t.ok(
    perSecond.every(count => count > 350 && count < 650),
    `per second: ${perSecond.join(' ')}`,
  )
  t.ok(seen().left + seen().orderly <= 200, `at the deadline: ${seen().orderly}`)
  t.equal(told.length + seen().orderly, 5000)
  t.end()
})

void t.test('the others are left alone until the deadline, told once, and cut 2 s later', t => {
  const { run, seen } = draining(3, 3000, false)
  run(2900)
  t.same(seen(), { orderly: 0, cut: 0, left: 3 })
  run(4900)
  t.same(seen(), { orderly: 3, cut: 0, left: 3 })
  run(5000)
  t.same(seen(), { orderly: 3, cut: 3, left: 3 })
  t.end()
})

void t.test('a drain told again can only end earlier; one that is called off is over', t => {
  const { state, run, seen } = draining(1, 10_000, false)
  beginDrain(state, 1000, 60_000)
  t.equal(state.drainDeadline, 10_000)
  beginDrain(state, 1000, 2000)
  t.equal(state.drainDeadline, 3000)
  endDrain(state)
  run(100_000)
  t.same(seen(), { orderly: 0, cut: 0, left: 1 })
  t.end()
})
