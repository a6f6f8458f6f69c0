import t from 'tap'
import { FailedAttempts } from '../../../src/admin/access/failed-attempts.ts'

function attempts() {
  const clock = { now: 1_000_000 }
  const all = new FailedAttempts(() => clock.now)
  let guess = 0
  return {
    all,
    clock,
    /** Seconds to wait after one more wrong token; 0: none. */
    fail(address: string, token = `wrong-${guess++}`): number {
      all.failed(address, token)
      return this.wait(address)
    },
    wait(address: string): number {
      try {
        all.check(address)
        return 0
      } catch (error) {
        return (error as { details: { retryAfter: number } }).details.retryAfter
      }
    },
  }
}

t.test('ten wrong tokens are free, then the wait doubles up to a minute, and only for that address', async t => {
  const subject = attempts()
  const { all, clock } = subject
  for (let each = 0; each < 10; each++) t.equal(subject.fail('10.0.0.1'), 0)
  const waits: number[] = []
  for (let each = 0; each < 9; each++) {
    const seconds = subject.fail('10.0.0.1')
    waits.push(seconds)
    clock.now += seconds * 1000
    t.equal(subject.wait('10.0.0.1'), 0, 'after the wait it may try again')
  }
  t.strictSame(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])
  subject.fail('10.0.0.1')
  t.equal(subject.wait('10.0.0.2'), 0)
  t.throws(() => all.check('10.0.0.1'), { code: 'too_many_attempts', details: { retryAfter: 60 } })
})

t.test('the same wrong token again is a forgotten setting, and costs nothing', async t => {
  const subject = attempts()
  for (let each = 0; each < 1000; each++) subject.fail('10.0.0.1', 'stale')
  t.equal(subject.wait('10.0.0.1'), 0)
})

t.test('an IPv6 network is one source, and IPv4 is itself however it is written', async t => {
  const subject = attempts()
  for (let each = 0; each < 11; each++) subject.fail(`2001:db8:1:2::${each.toString(16)}`)
  t.equal(subject.wait('2001:db8:1:2:ffff::1'), 1)
  t.equal(subject.wait('2001:db8:1:3::1'), 0)
  for (let each = 0; each < 11; each++) subject.fail('::ffff:10.0.0.9')
  t.equal(subject.wait('10.0.0.9'), 1)
  t.equal(subject.wait('::1'), 0)
})

t.test('it forgets after ten quiet minutes, and never keeps more than ten thousand addresses', async t => {
  const subject = attempts()
  for (let each = 0; each < 11; each++) subject.fail('10.0.0.1')
  subject.clock.now += 10 * 60_000
  subject.fail('10.0.0.2')
  t.equal(subject.all.size, 1)
  for (let each = 0; each < 20_000; each++) subject.fail(`10.${each >> 16}.${(each >> 8) & 255}.${each & 255}`)
  t.equal(subject.all.size, 10_000)
})
