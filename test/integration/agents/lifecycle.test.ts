import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../../support/until.ts'
import { HTTP_PROBE, PROCESS_PROBE, Rig, isRunning } from './rig.ts'

const KEY = 'dep/web_IN_0'

// A real agent per subtest: more than the usual 30 s of a file where the machine is busy.
t.setTimeout(120_000)

await t.test('an assigned instance gets ready on a port of the range, and stops when asked', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  await rig.assign(rig.instance())
  const ready = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  t.equal(ready.incarnation, 1)
  t.equal(ready.attempt, 1)
  t.equal(ready.version, '1.0.0')
  const port = ready.ports['http'] ?? 0
  t.ok(port >= 21_000 && port <= 25_999, `port ${port}`)
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  t.match(await answer.text(), /^web_IN_0 \d+$/)
  t.same(rig.controller.last?.packages, [rig.digest])

  await rig.assign(rig.instance({ desired: 'stop' }))
  const stopped = await rig.controller.untilInstance(KEY, 'stopped', ({ state }) => state === 'stopped')
  t.equal(stopped.pid, null)
  t.notOk(isRunning(ready.pid ?? 0))
  t.ok(existsSync(rig.folder()), 'its folders stay while it is assigned')

  await rig.assign(rig.instance())
  const again = await rig.controller.untilInstance(KEY, 'ready again', ({ state }) => state === 'ready')
  t.equal(again.attempt, 2)
  t.not(again.ports['http'], port)

  await rig.assign()
  await until('it is gone', () => rig.controller.instance(KEY) === undefined && !existsSync(rig.folder()))
  t.equal(rig.keepers().length, 0)
})

await t.test('a signal reaches what a shell started, and nothing of the group stays', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  const command = 'sleep 300 & echo inner=$!; sh -c "sleep 301 & echo deep=\\$!; wait"; wait'
  await rig.assign(rig.instance({}, { command, endpoints: [], probe: PROCESS_PROBE }))
  await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  const [inner, deep] = await until('both have said their pid', () => {
    const pids = ['inner', 'deep'].map(name => Number(new RegExp(`${name}=(\\d+)`).exec(rig.log())?.[1]))
    return pids.every(pid => pid > 0) ? pids : null
  })
  t.ok(isRunning(inner ?? 0) && isRunning(deep ?? 0))
  await rig.assign(rig.instance({ desired: 'stop' }))
  await rig.controller.untilInstance(KEY, 'stopped', ({ state }) => state === 'stopped')
  t.notOk(isRunning(inner ?? 0))
  t.notOk(isRunning(deep ?? 0))
})

await t.test('a process that ignores SIGTERM is killed after stopTimeout', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  const command = `trap '' TERM; echo deaf; while :; do sleep 1; done`
  const assigned = rig.instance({}, { command, endpoints: [], probe: PROCESS_PROBE, stopTimeoutMs: 400 })
  await rig.assign(assigned)
  await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  await until('it is deaf', () => rig.log().includes('deaf'))
  const begun = performance.now()
  await rig.assign({ ...assigned, desired: 'stop' })
  const stopped = await rig.controller.untilInstance(KEY, 'stopped', ({ state }) => state === 'stopped')
  t.ok(performance.now() - begun >= 390, 'not before its time')
  t.match(stopped.detail, /SIGKILL/)
  t.equal(rig.keepers().length, 0)
})

await t.test('what dies is started again on another port; dying again and again is cycling', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  await rig.assign(rig.instance())
  const first = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  await fetch(`http://127.0.0.1:${first.ports['http']}/exit`).catch(() => {})
  const second = await rig.controller.untilInstance(KEY, 'ready', i => i.state === 'ready' && i.attempt === 2)
  t.not(second.ports['http'], first.ports['http'])
  t.equal(second.restarts, 1)
  t.ok(
    rig.controller.received.some(
      m => m.type === 'observed' && m.instances.some(i => i.state === 'backoff' && /status 3/.test(i.detail)),
    ),
    'its end was told with its status',
  )
  process.kill(-(second.pid ?? 0), 'SIGKILL')
  const third = await rig.controller.untilInstance(KEY, 'ready', i => i.state === 'ready' && i.attempt === 3)
  process.kill(-(third.pid ?? 0), 'SIGKILL')
  await rig.controller.untilInstance(KEY, 'cycling', ({ state }) => state === 'cycling')
  await rig.controller.untilInstance(KEY, 'ready', i => i.state === 'ready' && i.attempt === 4)
  t.match(rig.log(), /\[vipswap\] .* exited with status 3/)
})

await t.test('one that dies before it is ready says how it ended last, next to what its probe finds', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  await rig.assign(rig.instance({}, { command: 'sleep 0.4; exit 3' }))
  const failing = await rig.controller.untilInstance(KEY, 'probed again', i => i.detail.includes('before that'))
  t.match(failing.detail, /^probe failed: .*ECONNREFUSED.*; before that exited with status 3$/)
})

await t.test('a main process that leaves children behind takes them with it', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  const command = 'sleep 300 & echo child=$!; sleep 0.3; exit 5'
  await rig.assign(rig.instance({}, { command, endpoints: [], probe: PROCESS_PROBE }))
  await rig.controller.untilInstance(KEY, 'restarted', ({ attempt }) => attempt === 2)
  const child = Number(/child=(\d+)/.exec(rig.log())?.[1])
  t.ok(child > 0)
  t.notOk(isRunning(child))
})

await t.test('startup commands run in order, and one that fails is a failed attempt', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  const startup = ['echo one >order', ['sh', '-c', 'echo two >>order'], 'test -e "$HOME/fixed" || exit 9']
  await rig.assign(rig.instance({}, { startup }))
  const failed = await rig.controller.untilInstance(KEY, 'failed', ({ state }) => state === 'failed')
  t.match(failed.detail, /exited with status 9/)
  writeFileSync(join(rig.folder(), 'system', 'home', 'fixed'), '')
  const ready = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  t.ok(ready.attempt > 1)
  t.equal(readFileSync(join(rig.folder(), 'role', '1', 'order'), 'utf8'), 'one\ntwo\n')
})

await t.test('a start that is no longer wanted is broken off, whatever it does', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  const assigned = rig.instance({}, { startup: ['echo here; sleep 300'] })
  await rig.assign(assigned)
  await until('it is in its startup', () => rig.keepers().length === 1 && rig.log().includes('here'))
  t.equal(rig.controller.instance(KEY)?.state, 'preparing')
  await rig.assign({ ...assigned, desired: 'stop' })
  await rig.controller.untilInstance(KEY, 'stopped', ({ state }) => state === 'stopped')
  t.equal(rig.keepers().length, 0)

  await rig.assign(rig.instance({ incarnation: 2 }, { startup: ['sleep 300'], startTimeoutMs: 300 }))
  const late = await rig.controller.untilInstance(KEY, 'failed', ({ state }) => state === 'failed')
  t.match(late.detail, /startTimeout/)
  await rig.assign()
  await until('nothing is left', () => rig.keepers().length === 0 && !existsSync(rig.folder()))
})

await t.test('a package that cannot be had just now is waited for', async t => {
  const rig = await Rig.create(t)
  rig.controller.packagesAreCut = true
  rig.startAgent()
  await rig.assign(rig.instance())
  const waiting = await rig.controller.untilInstance(KEY, 'waiting', ({ detail }) =>
    detail.includes('cannot get package'),
  )
  t.equal(waiting.state, 'preparing')
  rig.controller.packagesAreCut = false
  const ready = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  t.same([ready.attempt, ready.restarts], [1, 0])
})

await t.test('not ready within startTimeout is failed until it is ready', async t => {
  const rig = await Rig.create(t, { 'server.mjs': 'setInterval(() => {}, 1000)' })
  rig.startAgent()
  await rig.assign(rig.instance({}, { startTimeoutMs: 400 }))
  const failed = await rig.controller.untilInstance(KEY, 'failed', ({ state }) => state === 'failed')
  t.match(failed.detail, /startTimeout/)
  const next = await rig.controller.untilInstance(
    KEY,
    'tried again',
    ({ attempt, pid }) => attempt === 2 && pid !== null,
  )
  t.equal(next.state, 'failed')
})

await t.test('a hanging instance is unresponsive and comes back', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  await rig.assign(rig.instance({}, { probe: { ...HTTP_PROBE, timeoutMs: 200 } }))
  const ready = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  const group = ready.pid ?? 0
  process.kill(-group, 'SIGSTOP')
  await rig.controller.untilInstance(KEY, 'unresponsive', ({ state }) => state === 'unresponsive')
  process.kill(-group, 'SIGCONT')
  const back = await rig.controller.untilInstance(KEY, 'ready again', ({ state }) => state === 'ready')
  t.equal(back.attempt, 1)
})

await t.test('a higher incarnation replaces the lower one; clean says what goes with it', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  const localStorage = [
    { name: 'keep', sizeBytes: 1, cleanOnRecycle: false },
    { name: 'fresh', sizeBytes: 1, cleanOnRecycle: true },
  ]
  const start = async (incarnation: number, clean: 'none' | 'system' | 'all'): Promise<void> => {
    await rig.assign(rig.instance({ incarnation, clean }, { localStorage }))
    const is = await rig.controller.untilInstance(
      KEY,
      'ready',
      i => i.state === 'ready' && i.incarnation === incarnation,
    )
    t.equal(is.attempt, 1)
    await until('one role folder is left', () => !existsSync(join(rig.folder(), 'role', String(incarnation - 1))))
  }
  const mark = (incarnation: number): string[] => {
    const paths = [`role/${incarnation}/mark`, 'system/home/mark', 'storage/keep/mark', 'storage/fresh/mark']
    return paths.map(path => join(rig.folder(), path))
  }
  const left = (incarnation: number): boolean[] => mark(incarnation).map(path => existsSync(path))

  await start(1, 'none')
  for (const path of mark(1)) writeFileSync(path, '')
  await start(2, 'none')
  t.same(left(2), [false, true, true, false], 'the role root is new, and storage that is cleaned on recycle')
  await start(3, 'system')
  t.same(left(3), [false, false, true, false])
  await start(4, 'all')
  t.same(left(4), [false, false, false, false])
  t.equal(rig.keepers().length, 1)
})

await t.test(
  'two processes of one instance run side by side, in folders of their own, also for the next agent',
  async t => {
    const rig = await Rig.create(t)
    const agent = rig.startAgent()
    const beside = `${KEY}.b`
    const [old, successor] = [rig.instance(), rig.instance({ key: beside, incarnation: 2 })]
    await rig.assign(old)
    const first = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
    await rig.assign(old, successor)
    const second = await rig.controller.untilInstance(beside, 'ready', ({ state }) => state === 'ready')
    t.not(first.pid, second.pid)
    t.not(first.ports['http'], second.ports['http'])
    for (const path of ['role/1', 'system/tmp']) t.ok(existsSync(join(rig.folder(KEY), path)), path)
    for (const path of ['role/2', 'system/tmp']) t.ok(existsSync(join(rig.folder(beside), path)), path)

    await rig.kill(agent, 'SIGKILL')
    rig.startAgent()
    await rig.assign(successor)
    await until('the old one is gone', () => !existsSync(rig.folder(KEY)))
    const still = await rig.controller.untilInstance(beside, 'ready', ({ state }) => state === 'ready')
    t.equal(still.pid, second.pid)
    t.equal(rig.keepers().length, 1)
  },
)
