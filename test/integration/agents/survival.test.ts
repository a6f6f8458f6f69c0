import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { until } from '../../support/until.ts'
import { FakeController } from './fake-controller.ts'
import { PROCESS_PROBE, Rig, isRunning } from './rig.ts'

const KEY = 'dep/web_IN_0'

// A real agent per subtest: more than the usual 30 s of a file where the machine is busy.
t.setTimeout(120_000)

await t.test('instances outlive a killed agent, and the next one adopts them', async t => {
  const rig = await Rig.create(t)
  const first = rig.startAgent()
  await rig.assign(rig.instance(), rig.instance({ index: 1, key: 'dep/web_IN_1', instance: 'web_IN_1' }))
  const before = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  const other = await rig.controller.untilInstance('dep/web_IN_1', 'ready', ({ state }) => state === 'ready')
  await rig.kill(first, 'SIGKILL')
  const url = `http://127.0.0.1:${before.ports['http']}/`
  t.equal((await fetch(url)).status, 200, 'it serves on with no agent')

  rig.controller.last = null
  const seen = rig.controller.received.length
  const second = rig.startAgent()
  const after = await rig.controller.untilInstance(KEY, 'adopted', ({ state }) => state === 'ready')
  t.same([after.pid, after.ports, after.attempt, after.since], [before.pid, before.ports, 1, before.since])
  t.equal(rig.controller.instance('dep/web_IN_1')?.pid, other.pid)
  t.same(rig.controller.hellos.at(-1)?.applied, { term: 1, n: 1 }, 'it knows what it had applied')
  const reports = rig.controller.received.slice(seen).flatMap(m => (m.type === 'observed' ? m.instances : []))
  t.ok(
    reports.every(({ state }) => state === 'ready'),
    'it was never said to be anything but ready',
  )
  t.equal(rig.keepers().length, 2, 'nothing runs twice')

  process.kill(-(after.pid ?? 0), 'SIGKILL')
  await rig.controller.untilInstance(KEY, 'restarted', i => i.state === 'ready' && i.attempt === 2)
  await rig.assign()
  await until('an adopted one stops too', () => rig.keepers().length === 0)
  await rig.kill(second, 'SIGTERM')
})

await t.test('an end while no agent looked is noticed with its status', async t => {
  const rig = await Rig.create(t)
  const first = rig.startAgent()
  await rig.assign(rig.instance())
  const before = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  await rig.kill(first, 'SIGKILL')
  await fetch(`http://127.0.0.1:${before.ports['http']}/exit`).catch(() => {})
  await until('it has ended', () => rig.keepers().length === 0)
  rig.controller.last = null
  const seen = rig.controller.received.length
  rig.startAgent()
  await rig.controller.untilInstance(KEY, 'restarted', i => i.state === 'ready' && i.attempt === 2)
  const reports = rig.controller.received.slice(seen).flatMap(m => (m.type === 'observed' ? m.instances : []))
  t.notOk(
    reports.some(i => i.state === 'ready' && i.attempt === 1),
    'never called ready again',
  )
  t.match(rig.log(), /\[vipswap\] .* exited with status 3/)
})

await t.test('a second agent for the same node leaves, or takes over where told to', async t => {
  const rig = await Rig.create(t)
  const first = rig.startAgent()
  await rig.assign(rig.instance())
  const before = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  const second = rig.startAgent()
  await once(second, 'exit')
  t.equal(second.exitCode, 1)
  rig.controller.last = null
  rig.startAgent({ flags: ['--replace'] })
  await once(first, 'exit')
  const after = await rig.controller.untilInstance(KEY, 'taken over', ({ state }) => state === 'ready')
  t.equal(after.pid, before.pid)
})

await t.test('killed at any moment of a start, an agent leaves nothing that the next does not know', async t => {
  const rig = await Rig.create(t)
  for (let round = 0; round < 8; round += 1) {
    const seen = rig.controller.hellos.length
    const agent = rig.startAgent()
    await until('it is linked', () => rig.controller.hellos.length > seen)
    const assigned = rig.instance({ incarnation: round + 1 }, { startup: ['sleep 0.02'] })
    await rig.assign(assigned)
    await delay(round * 12)
    await rig.kill(agent, 'SIGKILL')
  }
  const seen = rig.controller.hellos.length
  rig.startAgent()
  await until('it is linked', () => rig.controller.hellos.length > seen)
  await rig.assign(rig.instance({ incarnation: 9 }))
  const ready = await rig.controller.untilInstance(KEY, 'ready', i => i.state === 'ready' && i.incarnation === 9)
  t.same(rig.keepers(), [ready.pid])
})

await t.test('startup commands of a killed agent are ended and run again from the first', async t => {
  const rig = await Rig.create(t)
  const first = rig.startAgent()
  const startup = ['echo started >>"$HOME/starts"', 'test -e "$HOME/quick" || { echo sleeping; sleep 300; }']
  await rig.assign(rig.instance({}, { startup }))
  const starts = join(rig.folder(), 'system', 'home', 'starts')
  await until('it sleeps', () => existsSync(rig.folder()) && rig.log().includes('sleeping'))
  const [old] = rig.keepers()
  await rig.kill(first, 'SIGKILL')
  t.ok(isRunning(old ?? 0))
  writeFileSync(join(rig.folder(), 'system', 'home', 'quick'), '')
  rig.startAgent()
  const ready = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  t.notOk(isRunning(old ?? 0))
  t.same(rig.keepers(), [ready.pid])
  t.equal(readFileSync(starts, 'utf8'), 'started\nstarted\n')
})

await t.test('a damaged state file or record stops nothing that it should not', async t => {
  const rig = await Rig.create(t)
  const first = rig.startAgent()
  await rig.assign(rig.instance())
  const before = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  await rig.kill(first, 'SIGKILL')
  writeFileSync(join(rig.nodeDirectory, 'agent.json'), '{"schema":1,"assig')
  rig.controller.last = null
  const second = rig.startAgent()
  const after = await rig.controller.untilInstance(KEY, 'adopted', ({ state }) => state === 'ready')
  t.equal(after.pid, before.pid, 'adopted by its own record')
  t.equal(rig.controller.hellos.at(-1)?.applied, null)
  await rig.assign(rig.instance())
  await until('the assignment is applied', () => rig.controller.applied?.n === 2)
  await rig.kill(second, 'SIGKILL')

  writeFileSync(join(rig.folder(), 'run', 'process.json'), 'x')
  rig.controller.last = null
  rig.startAgent()
  const fresh = await rig.controller.untilInstance(KEY, 'started anew', ({ state }) => state === 'ready')
  t.not(fresh.pid, before.pid)
  t.same(rig.keepers(), [fresh.pid], 'what no record names is ended first')
})

await t.test(
  'SIGTERM leaves instances running; with the stop file it stops them; the stop file alone does too',
  async t => {
    const rig = await Rig.create(t)
    const first = rig.startAgent()
    await rig.assign(rig.instance())
    const before = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
    t.equal(await rig.kill(first, 'SIGTERM'), 0)
    t.ok(isRunning(before.pid ?? 0))

    const second = rig.startAgent()
    await until(
      'it is adopted',
      () => rig.controller.hellos.length === 2 && rig.controller.instance(KEY)?.state === 'ready',
    )
    writeFileSync(join(rig.run, 'stop'), '')
    await once(second, 'exit')
    t.equal(second.exitCode, 0)
    t.equal(rig.keepers().length, 0)
    t.equal(rig.controller.instance(KEY)?.state, 'stopped', 'and said so')

    const third = rig.startAgent()
    await once(third, 'exit')
    t.equal(third.exitCode, 0, 'nothing is started while the file is there')
    t.equal(rig.keepers().length, 0)
  },
)

await t.test('without a controller probes and restarts go on, and a new one is told the whole', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  await rig.assign(rig.instance())
  const first = await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  await rig.controller.close()
  process.kill(-(first.pid ?? 0), 'SIGKILL')
  const keeper = await until('it runs again', () => rig.keepers().find(pid => pid !== first.pid))
  const next = new FakeController(rig.run)
  await next.listen()
  t.teardown(async () => next.close())
  const again = await next.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  t.same([again.pid, again.attempt], [keeper, 2])
})

await t.test('lower revisions and other fabrics are refused, across restarts too', async t => {
  const rig = await Rig.create(t)
  const first = rig.startAgent()
  const applied = { term: 2, n: 5 }
  await rig.controller.assign(rig.assignment([rig.instance()], { revision: applied }))
  await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  const refusals = () => rig.controller.received.filter(({ type }) => type === 'refused')
  await rig.controller.assign(rig.assignment([], { revision: { term: 2, n: 4 } }))
  await until('it is refused', () => refusals().length === 1)
  t.same(refusals()[0], { type: 'refused', revision: { term: 2, n: 4 }, applied })
  await rig.kill(first, 'SIGTERM')

  rig.controller.last = null
  rig.startAgent()
  await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  await rig.controller.assign(rig.assignment([], { fabric: 'f2', revision: { term: 9, n: 9 } }))
  await rig.controller.assign(rig.assignment([], { revision: { term: 1, n: 99 } }))
  await until('it is refused again', () => refusals().length === 2)
  t.same(rig.controller.applied, applied)
  t.equal(rig.controller.instance(KEY)?.state, 'ready')
})

await t.test('a stranger that answers on the port does not make an instance ready', async t => {
  const stranger = createServer((_request, response) => response.end('me'))
  stranger.listen(0, '127.0.0.1')
  await once(stranger, 'listening')
  t.teardown(() => stranger.close())
  const address = stranger.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const rig = await Rig.create(t, { 'idle.sh': 'sleep 300' })
  rig.startAgent()
  // The range holds the stranger's port and one more: freed while it is checked, taken when it is probed.
  stranger.close()
  await once(stranger, 'close')
  const assigned = rig.instance({}, { command: 'echo up; sleep 300' })
  await rig.controller.assign(rig.assignment([assigned], { portRange: { from: port, to: port } }))
  await until('it has started', () => existsSync(join(rig.folder(), 'logs')) && rig.log().includes('up'))
  stranger.listen(port, '127.0.0.1')
  await once(stranger, 'listening')
  const is = await rig.controller.untilInstance(KEY, 'doubted', ({ detail }) => detail.includes('another process'))
  t.equal(is.state, 'starting')
})

await t.test('a role gets exactly the environment of the contract', async t => {
  const dump = `
    import { renameSync, writeFileSync } from 'node:fs'
    const to = process.env.TMPDIR + '/dump'
    writeFileSync(to + '.new', JSON.stringify({ env: process.env, cwd: process.cwd() }))
    renameSync(to + '.new', to)
    setInterval(() => {}, 1000)`
  const rig = await Rig.create(t, { 'dump.mjs': dump })
  rig.startAgent({ env: { SECRET: 'agent', NODE_ENV: 'x', LANG: 'C.UTF-8' } })
  const assigned = rig.instance(
    {},
    {
      command: ['node', 'dump.mjs'],
      probe: PROCESS_PROBE,
      endpoints: [
        { name: 'http', protocol: 'http' },
        { name: 'side-door', protocol: 'tcp' },
      ],
      settings: { 'greeting-text': 'hi there\n"x" $HOME' },
      env: { MODE: 'prod', PORT: '1' },
      internalEndpoints: { ENDPOINT_CRUNCH_RPC: '127.0.0.1:1234' },
      localStorage: [{ name: 'cache', sizeBytes: 1, cleanOnRecycle: false }],
    },
  )
  await rig.assign(assigned)
  const root = rig.folder()
  const file = join(root, 'system', 'tmp', 'dump')
  await until('it wrote', () => existsSync(file))
  const { env, cwd } = JSON.parse(readFileSync(file, 'utf8'))
  // What a test runner puts into every Node process.
  for (const name of Object.keys(env)) if (/^(_?TAP|NODE_OPTIONS)/.test(name)) delete env[name]
  const { PORT, PORT_HTTP, PORT_SIDE_DOOR, PATH, ...rest } = env
  t.ok(Number(PORT) >= 21_000 && PORT === PORT_HTTP && Number(PORT_SIDE_DOOR) > 0 && PORT !== PORT_SIDE_DOOR)
  t.ok(PATH)
  t.same(rest, {
    HOME: join(root, 'system', 'home'),
    TMPDIR: join(root, 'system', 'tmp'),
    LANG: 'C.UTF-8',
    MODE: 'prod',
    HOST: '127.0.0.1',
    ROLE_NAME: 'web',
    ROLE_INSTANCE_ID: 'web_IN_0',
    ROLE_INSTANCE_INDEX: '0',
    ROLE_VERSION: '1.0.0',
    UPGRADE_DOMAIN: '1',
    FAULT_DOMAIN: '2',
    DEPLOYMENT_ID: 'dep',
    SERVICE_NAME: 'shop',
    RoleRoot: join(root, 'role', '1'),
    LOCAL_STORAGE_CACHE: join(root, 'storage', 'cache'),
    SETTING_GREETING_TEXT: 'hi there\n"x" $HOME',
    ENDPOINT_CRUNCH_RPC: '127.0.0.1:1234',
  })
  t.equal(cwd, join(root, 'role', '1'))
})

await t.test('a package of another content than its digest is told and never started', async t => {
  const rig = await Rig.create(t)
  const wrong = 'a'.repeat(64)
  rig.controller.packages.set(wrong, rig.packageDirectory)
  rig.startAgent()
  const assigned = rig.instance({}, { package: wrong })
  await rig.controller.assign(rig.assignment([assigned], { packages: [rig.digest, wrong] }))
  const failed = await rig.controller.untilInstance(KEY, 'failed', ({ state }) => state === 'failed')
  t.match(failed.detail, /digest/)
  t.match(rig.controller.last?.packageErrors[wrong], /digest/)
  t.notOk(existsSync(join(rig.nodeDirectory, 'packages', wrong)))
  t.equal(rig.keepers().length, 0)

  await rig.controller.assign(rig.assignment([], { packages: [rig.digest] }))
  await until('the error is forgotten', () => Object.keys(rig.controller.last?.packageErrors ?? { x: '' }).length === 0)
  t.same(rig.controller.last?.packages, [rig.digest])
  await rig.controller.assign(rig.assignment([], { packages: [] }))
  await until('what nobody wants is removed', () => !existsSync(join(rig.nodeDirectory, 'packages', rig.digest)))
})

await t.test('a log is read over the link: its end, and what follows', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  const command = 'echo first line; while read -r line; do echo "got $line"; done <"$TMPDIR/pipe"; sleep 300'
  const startup = ['mkfifo "$TMPDIR/pipe"']
  await rig.assign(rig.instance({}, { command, startup, endpoints: [], probe: PROCESS_PROBE }))
  await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  await until('it wrote', () => rig.log().includes('first line'))
  const text = (request: string): string =>
    rig.controller.received.map(m => (m.type === 'log' && m.request === request ? m.text : '')).join('')
  const ends = (): unknown[] => rig.controller.received.filter(({ type }) => type === 'log-end')

  await rig.controller.send({ type: 'log', request: 'a', key: KEY, tail: 100_000, follow: false })
  await until('it ended', () => ends().length === 1)
  t.same(ends()[0], { type: 'log-end', request: 'a', error: null })
  t.match(text('a'), /\[vipswap\] .*started attempt 1/)
  t.match(text('a'), /first line/)

  await rig.controller.send({ type: 'log', request: 'b', key: KEY, tail: 5, follow: true })
  await until('the tail came', () => text('b').length > 0)
  t.equal(text('b').length, 5)
  writeFileSync(join(rig.folder(), 'system', 'tmp', 'pipe'), 'more\n')
  await until('what follows came', () => text('b').includes('got more'))
  await rig.controller.send({ type: 'log-cancel', request: 'b' })

  await rig.controller.send({ type: 'log', request: 'c', key: 'dep/none', tail: 5, follow: false })
  await until('an unknown one is said to be so', () => ends().length === 2)
})

await t.test('a flood of output stays bounded and stalls nobody', async t => {
  const rig = await Rig.create(t)
  rig.startAgent()
  const command = 'head -c 60000000 /dev/zero; while :; do echo; echo after the flood; sleep 0.1; done'
  await rig.assign(rig.instance({}, { command, endpoints: [], probe: PROCESS_PROBE }))
  await rig.controller.untilInstance(KEY, 'ready', ({ state }) => state === 'ready')
  const log = join(rig.folder(), 'logs', 'output.log')
  const limit = 10 * 1024 * 1024
  await until('it was rotated', () => existsSync(`${log}.1`) && statSync(log).size < limit)
  await until('the instance goes on', () => statSync(log).size < limit && rig.log().includes('after the flood'))
  t.equal(statSync(`${log}.1`).size, limit)
})
