import fc from 'fast-check'
import t from 'tap'
import type { PoolPolicy } from '../../../src/contracts/routing.ts'
import { cookieName, cookieValue, setCookieLine } from '../../../proxy/balancing/affinity-cookie.ts'
import { chooseTarget } from '../../../proxy/balancing/choose.ts'
import {
  isOwnLimit,
  noteConnection,
  noteFailure,
  noteNoConnection,
  noteTrialAnswered,
} from '../../../proxy/balancing/outliers.ts'
import { beginPacing, endPacing, growByAnswer, growByTime } from '../../../proxy/balancing/pacing.ts'
import { RetryBudget } from '../../../proxy/balancing/retry-budget.ts'
import type { CompiledPool } from '../../../proxy/routing/snapshot.ts'
import type { TargetState } from '../../../proxy/routing/target.ts'
import { asker, plainTargets, poolUnderTest, type PoolUnderTest } from '../../support/pools.ts'

const EJECTION = { failures: 3, baseMs: 1000, maxShare: 0.5 }

function chosen(compiled: CompiledPool, now: number, times = 300): Set<string> {
  const seen = new Set<string>()
  for (let n = 0; n < times; n++) seen.add(chooseTarget(compiled, asker(), now)?.instance ?? '')
  return seen
}

function four(policy: Partial<PoolPolicy> = {}): { pool: PoolUnderTest; compiled: CompiledPool; bad: TargetState } {
  const pool = poolUnderTest({ ejection: EJECTION, ...policy })
  const compiled = pool.apply(plainTargets(4))
  return { pool, compiled, bad: pool.target('web_IN_0') }
}

function fail(target: TargetState, now: number, times = EJECTION.failures): void {
  for (let n = 0; n < times; n++) noteFailure(target, now, false)
}

void t.test('the less busy of two is chosen, each is reached, failed ones only if there is no other', t => {
  t.equal(chooseTarget(poolUnderTest().apply({}), asker(), 0), null)
  const pool = poolUnderTest()
  const two = pool.apply(plainTargets(2))
  const [a, b] = [pool.target('web_IN_0'), pool.target('web_IN_1')]
  a.inFlight = 5
  for (let n = 0; n < 20; n++) t.equal(chooseTarget(two, asker(), 0), b)
  t.equal(chooseTarget(two, asker({ tried: new Set([b]) }), 0), a)
  t.ok(chooseTarget(two, asker({ tried: new Set([a, b]) }), 0), 'the same again rather than none')
  t.same(chosen(four().compiled, 0).size, 4)
  t.end()
})

void t.test('one refused connection passes an instance over for a second, then one request tries it', t => {
  const { pool, compiled, bad } = four()
  noteNoConnection(bad, 100, false)
  t.notOk(chosen(compiled, 1099).has('web_IN_0'))
  t.ok(chosen(compiled, 1100).has('web_IN_0'))
  bad.trials = 1
  t.notOk(chosen(compiled, 1100).has('web_IN_0'), 'one at a time')
  bad.trials = 0
  noteConnection(bad)
  t.ok(chosen(compiled, 1100).has('web_IN_0'))
  t.equal(pool.state.counts.ejections, 0)
  t.end()
})

void t.test('failures in a row eject an instance, for longer each time until it serves well for as long', t => {
  const { pool, compiled, bad } = four()
  fail(bad, 0, 2)
  bad.failures = 0
  fail(bad, 0, 2)
  t.notOk(bad.ejected, 'a whole answer in between')
  fail(bad, 10, 1)
  t.equal(bad.avoidUntil, 1010)
  t.notOk(chosen(compiled, 1009).has('web_IN_0'))
  noteConnection(bad)
  t.ok(bad.ejected, 'to take connections is not to serve')
  fail(bad, 500)
  t.equal(bad.avoidUntil, 1010, 'what was under way before does not prolong it')

  let [now, wait] = [1010, 1000]
  for (const next of [2000, 4000, 8000, 10_000, 10_000]) {
    t.ok(chosen(compiled, now).has('web_IN_0'), 'on trial')
    noteFailure(bad, now, true)
    t.equal(bad.avoidUntil, now + next)
    noteFailure(bad, now, true)
    t.equal(bad.avoidUntil, now + next, 'once for each time')
    now = bad.avoidUntil
    wait = next
  }
  noteTrialAnswered(bad, now)
  t.notOk(bad.ejected)
  noteFailure(bad, now + 1, false)
  t.ok(bad.ejected, 'before a whole answer one failure is enough')
  t.equal(bad.avoidUntil, now + 1 + wait)
  now = bad.avoidUntil
  noteTrialAnswered(bad, now)
  bad.failures = 0
  fail(bad, now + wait)
  t.equal(bad.avoidUntil, now + wait + 1000, 'it had served well')
  t.match(pool.state.counts, { readmissions: 2, ejections: 8 })
  t.end()
})

void t.test('no more than the share is ejected; if all are, they serve all the same and that is counted', t => {
  const { pool, compiled } = four()
  for (const target of compiled.ready) fail(target, 0)
  t.equal(pool.state.report().ejected, 2)
  t.match(pool.state.counts, { ejections: 2, ejectionsDenied: 2, ejectedAll: 0 })
  const left = pool.apply({
    web_IN_0: {},
    web_IN_1: {},
    web_IN_2: { state: 'draining' },
    web_IN_3: { state: 'draining' },
  })
  t.same(chosen(left, 0), new Set(['web_IN_0', 'web_IN_1']))
  t.equal(pool.state.counts.ejectedAll, 300)
  for (const affinity of ['source', 'cookie'] as const) {
    const loyal = poolUnderTest({ ejection: { ...EJECTION, maxShare: 1 }, affinity })
    const all = loyal.apply(plainTargets(4))
    const mine = (wanted: string): TargetState | null => chooseTarget(all, asker({ clientHash: 12_345, wanted }), 0)
    const before = mine(loyal.target('web_IN_3').token)
    for (const target of all.ready) fail(target, 0)
    for (let n = 0; n < 20; n++) t.equal(mine(loyal.target('web_IN_3').token), before, 'each client where it was')
  }

  const alone = poolUnderTest({ ejection: EJECTION })
  alone.apply(plainTargets(1))
  fail(alone.target('web_IN_0'), 0)
  t.notOk(alone.target('web_IN_0').ejected)
  const none = poolUnderTest({ ejection: null })
  none.apply(plainTargets(3))
  fail(none.target('web_IN_0'), 0, 100)
  t.notOk(none.target('web_IN_0').ejected)
  noteNoConnection(none.target('web_IN_0'), 0, false)
  t.ok(none.target('web_IN_0').avoidUntil > 0)
  const off = poolUnderTest({ ejection: { ...EJECTION, maxShare: 1 } })
  off.apply(plainTargets(1))
  fail(off.target('web_IN_0'), 0)
  t.ok(off.target('web_IN_0').ejected)
  t.end()
})

void t.test('an instance on its way out may fail, and our own want of descriptors is nobody else’s fault', t => {
  const { pool, bad } = four()
  pool.apply({ ...plainTargets(4), web_IN_0: { state: 'draining' } })
  fail(bad, 0)
  t.notOk(bad.ejected)
  t.ok(isOwnLimit(Object.assign(new Error('x'), { code: 'EMFILE' })))
  t.notOk(isOwnLimit(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })))
  t.notOk(isOwnLimit(new Error('timed out')))
  t.end()
})

void t.test('whatever happens, ejected are at most the share, and for at most ten times the base', t => {
  const event = fc.record({
    which: fc.nat(5),
    what: fc.constantFrom('fail', 'refuse', 'fail on trial', 'answer on trial', 'whole answer', 'connect', 'pass time'),
    ms: fc.nat(3000),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), fc.integer({ min: 1, max: 6 }), (events, count) => {
      const pool = poolUnderTest({ ejection: { ...EJECTION, failures: 2 } })
      const { ready } = pool.apply(plainTargets(count))
      let now = 1
      for (const { which, what, ms } of events) {
        const target = ready[which % count]
        if (target === undefined) return false
        if (what === 'fail') noteFailure(target, now, false)
        else if (what === 'refuse') noteNoConnection(target, now, target.avoidUntil !== 0)
        else if (what === 'fail on trial') noteFailure(target, now, target.avoidUntil !== 0)
        else if (what === 'answer on trial' && target.avoidUntil !== 0) noteTrialAnswered(target, now)
        else if (what === 'whole answer') target.failures = 0
        else if (what === 'connect') noteConnection(target)
        else now += ms
        if (ready.filter(one => one.ejected).length > count / 2) return false
        if (ready.some(one => one.avoidUntil > now + 10 * EJECTION.baseMs || (one.ejected && one.avoidUntil === 0)))
          return false
      }
      return true
    }),
  )
  t.end()
})

void t.test('an instance that comes back gets a tenth at first and grows; a pool that is new does not', t => {
  const pool = poolUnderTest({ slowStartMs: 1000, balancing: 'round-robin', ejection: EJECTION })
  pool.apply(plainTargets(3), 100)
  const share = (now: number): number => pool.target('web_IN_0').weightAt(now)
  t.equal(share(100), 1)
  const { web_IN_0: _, ...others } = plainTargets(3)
  pool.apply({ ...others, web_IN_0: { state: 'draining' } }, 200)
  const compiled = pool.apply(plainTargets(3), 1000)
  t.same(
    [1000, 1100, 1500, 1900, 2000, 9000].map(now => Math.round(share(now) * 100)),
    [10, 10, 50, 90, 100, 100],
  )
  let got = 0
  for (let n = 0; n < 210; n++) if (chooseTarget(compiled, asker(), 1000)?.instance === 'web_IN_0') got++
  t.equal(got, 10)
  pool.apply(plainTargets(3), 1500)
  t.equal(Math.round(share(1500) * 100), 50, 'another table changes nothing')
  pool.apply({ web_IN_0: { weight: 4 } }, 3000)
  t.equal(share(3000), 4)

  const bad = pool.target('web_IN_0')
  pool.apply(plainTargets(3), 4000)
  fail(bad, 10_000)
  noteTrialAnswered(bad, 12_000)
  t.equal(share(12_000), 0.1, 'and so does one that was ejected')
  const empty = poolUnderTest({ slowStartMs: 1000 })
  empty.apply({ web_IN_0: { state: 'draining' } })
  empty.apply(plainTargets(2), 10)
  t.equal(empty.target('web_IN_1').weightAt(10), 1)
  t.end()
})

void t.test('a cookie leads to its instance, unless that is draining, full, tried or passed over', t => {
  const pool = poolUnderTest({ affinity: 'cookie', ejection: EJECTION })
  const compiled = pool.apply(plainTargets(4))
  const mine = pool.target('web_IN_2')
  const go = (by = compiled, tried: Set<TargetState> | null = null): string =>
    chooseTarget(by, asker({ wanted: mine.token, tried }), 0)?.instance ?? ''
  for (let n = 0; n < 50; n++) t.equal(go(), 'web_IN_2')
  mine.cap = 0
  t.not(go(), 'web_IN_2')
  mine.cap = Infinity
  fail(mine, 0)
  t.not(go(), 'web_IN_2')
  noteTrialAnswered(mine, 0)
  t.equal(go(), 'web_IN_2')
  t.not(go(compiled, new Set([mine])), 'web_IN_2')
  t.not(go(pool.apply({ ...plainTargets(4), web_IN_2: { state: 'draining' } })), 'web_IN_2')
  t.match(mine.token, /^[0-9a-f]{16}$/)
  const again = poolUnderTest().apply({ other: { instance: 'web_IN_2' } })
  t.equal(again.ready[0]?.token, mine.token, 'another start of the same instance')
  t.end()
})

void t.test('the affinity cookie is read from any Cookie line and written with its attributes', t => {
  const name = cookieName('app/production/web/http')
  t.match(name, /^vipswap-affinity-[0-9a-f]{8}$/)
  t.not(name, cookieName('app/staging/web/http'))
  t.equal(cookieValue(`Accept: */*\r\ncookie: a=b; ${name}=abc; c=d\r\n`, name), 'abc')
  t.equal(cookieValue(`Cookie: a=b\r\nCOOKIE:${name}=abc\r\n`, name), 'abc')
  t.equal(cookieValue(`Cookie: ${name}x=abc; x${name}=d\r\n`, name), '')
  t.equal(cookieValue(`X-Cookie: ${name}=abc\r\n`, name), '')
  t.equal(cookieValue('Cookie: a=b\r\n', name), '')
  t.equal(setCookieLine(name, 'abc', false), `Set-Cookie: ${name}=abc; Path=/; HttpOnly; SameSite=Lax\r\n`)
  t.match(setCookieLine(name, 'abc', true), /; Secure\r\n$/)
  t.end()
})

void t.test('a line is let go from a few on, by answers and by time, never beyond the limit', t => {
  const pool = poolUnderTest({ maxConcurrent: 100 })
  pool.apply(plainTargets(2))
  const target = pool.target('web_IN_0')
  t.equal(target.cap, 100)
  target.inFlight = 3
  beginPacing(pool.state)
  t.equal(target.cap, 19)
  beginPacing(pool.state)
  for (let n = 0; n < 4; n++) growByAnswer(target)
  t.equal(target.cap, 23)
  pool.apply(plainTargets(3))
  t.equal(target.cap, 23)
  t.equal(pool.target('web_IN_2').cap, 16, 'who becomes ready meanwhile begins so too')
  for (let n = 0; n < 10; n++) growByTime(pool.state)
  t.equal(Math.round(target.cap), 46, 'twice as many after a second')
  for (let n = 0; n < 100; n++) growByTime(pool.state)
  t.equal(target.cap, 100)
  endPacing(pool.state)
  t.equal(pool.target('web_IN_2').cap, 100)

  const shared = poolUnderTest({ maxConcurrent: 100 }, 4)
  shared.apply(plainTargets(1))
  t.equal(shared.target('web_IN_0').cap, 25, 'one of four workers')
  beginPacing(shared.state)
  t.equal(shared.target('web_IN_0').cap, 4)
  t.end()
})

void t.test('replays are a share of the traffic of the last seconds', t => {
  const budget = new RetryBudget()
  const takeAll = (): number => {
    let taken = 0
    while (budget.take()) taken++
    return taken
  }
  budget.turn(1)
  t.equal(takeAll(), 100)
  budget.requests += 50
  t.equal(takeAll(), 10)
  budget.turn(10_000)
  t.equal(takeAll(), 0, 'within the same period')
  budget.turn(10_001)
  t.equal(takeAll(), 0, 'what was spent in the last one still counts')
  budget.requests += 5000
  t.equal(takeAll(), 1000)
  budget.turn(20_001)
  t.equal(takeAll(), 100, 'by 5000 requests 1000 were spent, the rest is free again')
  budget.turn(60_000)
  t.equal(takeAll(), 100)
  t.end()
})
