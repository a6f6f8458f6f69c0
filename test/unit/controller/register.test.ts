import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Register } from '../../../src/controller/members/register.ts'
import { tempDir } from '../../support/temp.ts'

const DAY = 86_400_000
const agent = (name: string) => ({ kind: 'agent', name }) as const
const secret = (letter: string): string => letter.repeat(43)

function register(t: { teardown: (fn: () => void) => void }) {
  const path = join(tempDir(t), 'members.json')
  const clock = { now: 1_000 * DAY }
  const open = () => new Register(path, () => clock.now)
  return { path, clock, open, first: open() }
}

t.test('a token lets one in, once, in time, of its kind, under its name', async t => {
  const { first, clock } = register(t)
  first.addToken({ kind: 'agent', name: null, secret: secret('a'), lifeMs: 1000 })
  first.addToken({ kind: 'agent', name: 'n2', secret: secret('b'), lifeMs: 1000 })
  first.addToken({ kind: 'proxy', name: null, secret: secret('c'), lifeMs: 500 })
  const refused = (letter: string, name: string, message: RegExp, isTaken = false) =>
    t.throws(() => first.checkToken(secret(letter), agent(name), isTaken), { code: 'forbidden', message })
  refused('x', 'n1', /not one of this controller/)
  refused('c', 'n1', /for a proxy/)
  refused('b', 'n1', /for agent n2/)
  refused('a', 'n1', /there already/, true)
  const token = first.checkToken(secret('a'), agent('n1'), false)
  first.joined(token, agent('n1'), 'S1', clock.now + DAY)
  refused('a', 'n3', /used already, by vipswap:agent:n1/)
  refused('a', 'n1', /used already/)
  t.ok(first.holds(agent('n1'), 'S1'))
  t.notOk(first.holds(agent('n2'), 'S1'))
  t.notOk(first.holds({ kind: 'proxy', name: 'n1' }, 'S1'), 'an agent is no proxy of that name')
  t.notOk(first.holds(agent('n1'), 'S2'))
  first.addToken({ kind: 'agent', name: null, secret: secret('d'), lifeMs: 1000 })
  refused('d', 'n1', /there already.*member token agent --name n1/)
  clock.now += 1000
  refused('b', 'n2', /has ended/)
  refused('d', 'n4', /has ended/)
})

t.test('a token of a name takes the place of who has it; removing takes all certificates back', async t => {
  const { first, clock } = register(t)
  const joined = (letter: string, name: string | null, serial: string) => {
    first.addToken({ kind: 'agent', name, secret: secret(letter), lifeMs: 1000 })
    first.joined(first.checkToken(secret(letter), agent('n1'), false), agent('n1'), serial, clock.now + DAY)
  }
  first.addToken({ kind: 'agent', name: null, secret: secret('a'), lifeMs: 1000 })
  first.joined(first.checkToken(secret('a'), agent('n1'), false), agent('n1'), 'S1', clock.now + DAY)
  for (const serial of ['S2', 'S3', 'S4', 'S5']) first.renewed(agent('n1'), serial, clock.now + 2 * DAY)
  t.strictSame(
    ['S1', 'S2', 'S5'].map(serial => first.holds(agent('n1'), serial)),
    [false, true, true],
    'the last four',
  )
  joined('b', 'n1', 'T1')
  t.notOk(first.holds(agent('n1'), 'S5'))
  t.ok(first.holds(agent('n1'), 'T1'))
  first.remove(agent('n1'))
  t.notOk(first.holds(agent('n1'), 'T1'))
  t.strictSame(first.members, [])
})

t.test('it is on disk at once, private, and holds no secret', async t => {
  const { first, open, path, clock } = register(t)
  first.addToken({ kind: 'proxy', name: null, secret: secret('a'), lifeMs: 1000 })
  const proxy = { kind: 'proxy', name: 'edge' } as const
  first.joined(first.checkToken(secret('a'), proxy, false), proxy, 'S1', clock.now + DAY)
  const again = open()
  t.strictSame(again.members, first.members)
  t.throws(() => again.checkToken(secret('a'), { ...proxy, name: 'other' }, false), { message: /used already/ })
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.notMatch(readFileSync(path, 'utf8'), secret('a'))
})

t.test('tokens that ended are forgotten, and there are never more than a hundred', async t => {
  const { first, clock } = register(t)
  const add = () => first.addToken({ kind: 'agent', name: null, secret: secret('a'), lifeMs: 1000 })
  for (let each = 0; each < 100; each++) add()
  t.throws(add, { code: 'change_not_allowed' })
  clock.now += 8 * DAY
  t.doesNotThrow(add)
})
