import { BlockList } from 'node:net'
import t from 'tap'
import { DEFAULT_LIMITS, DEFAULT_POLICY } from '../../../src/contracts/routing.ts'
import { chooseTarget } from '../../../proxy/balancing/choose.ts'
import { RetryBudget } from '../../../proxy/balancing/retry-budget.ts'
import { HoldQueue, type Held } from '../../../proxy/hold/hold-queue.ts'
import { Peer } from '../../../proxy/connections/peer.ts'
import type { CompiledPool } from '../../../proxy/routing/snapshot.ts'
import { TargetState } from '../../../proxy/routing/target.ts'

const POOL = {
  key: 'p',
  service: 's',
  deployment: 'd',
  role: 'r',
  endpoint: 'e',
  policy: DEFAULT_POLICY,
  targets: [],
  expecting: false,
  drainTimeoutMs: 0,
}

function state(key: string, inFlight = 0): TargetState {
  const made = new TargetState(
    { key, instance: key, version: '1', host: '127.0.0.1', port: 1, weight: 1, state: 'in' },
    POOL,
  )
  made.inFlight = inFlight
  return made
}

void t.test('the less busy of two is chosen, each is reached, failed ones only if there is no other', t => {
  t.equal(chooseTarget([], null, 0), null)
  const [a, b, c] = [state('a', 5), state('b', 1), state('c', 3)]
  t.equal(chooseTarget([a, b], null, 0), b)
  const seen = new Set<string>()
  for (let n = 0; n < 200; n++) seen.add(chooseTarget([state('x'), state('y'), state('z')], null, 0)?.key ?? '')
  t.equal(seen.size, 3)
  for (let n = 0; n < 50; n++) {
    t.equal(chooseTarget([a, b, c], new Set([b, c]), 0), a)
    b.suspectUntil = 10
    t.not(chooseTarget([a, b, c], null, 5), b)
    b.suspectUntil = 0
  }
  t.ok(chooseTarget([a], new Set([a]), 0))
  t.end()
})

void t.test('a request held again expires by its own deadline, and one at a time tries who refused', t => {
  const queue = new HoldQueue()
  const suspect = state('s')
  suspect.suspectUntil = 50
  const waiting: CompiledPool = { pool: POOL, ready: [suspect] }
  const told: string[] = []
  const held = (name: string, heldSince: number): Held => ({
    heldSince,
    heldBytes: 1,
    tryAgain: () => told.push(`${name} tries`),
    expire: () => told.push(`${name} expires`),
  })
  const old = held('old', 1)
  const limits = { ...DEFAULT_LIMITS, holdTimeoutMs: 100 }
  t.ok(queue.add(old, waiting, limits))
  t.ok(queue.add(held('young', 40), waiting, limits))
  queue.remove(old)
  t.ok(queue.add(old, waiting, limits))
  queue.probeAt(49)
  t.same(told, [])
  queue.probeAt(50)
  t.same(told.splice(0), ['old tries'])
  suspect.suspectUntil = 0
  queue.probeAt(50)
  t.same(told.splice(0), ['old tries', 'young tries'])
  queue.expireAt(101, limits)
  t.same(told, ['old expires'])
  t.end()
})

void t.test('replays are a share of the traffic', t => {
  const budget = new RetryBudget()
  let taken = 0
  while (budget.take(1)) taken++
  t.equal(taken, 100)
  for (let n = 0; n < 11; n++) budget.onRequest()
  t.ok(budget.take(1))
  t.ok(budget.take(1))
  t.notOk(budget.take(1))
  t.ok(budget.take(1001), 'some come back with time')
  t.end()
})

void t.test('whether a peer is trusted is known per list', t => {
  const peer = new Peer('::ffff:10.1.2.3', 1, '127.0.0.1:80', false)
  t.notOk(peer.isTrustedBy(null))
  const list = new BlockList()
  list.addSubnet('10.0.0.0', 8, 'ipv4')
  t.ok(peer.isTrustedBy(list))
  t.notOk(peer.isTrustedBy(new BlockList()), 'another list is another answer')
  t.end()
})
