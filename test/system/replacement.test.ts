import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isAlive, type ProcessIdentity } from '../../src/core/process-identity.ts'
import { readLive } from '../../src/cli/up/pid-file.ts'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { startSteadyLoad } from './support/steady-load.ts'
import { pidOf, processesIn, runCli, smallPackage, startSystem, type System } from './support/system.ts'

function proxyOf(system: System): ProcessIdentity & { readonly args: readonly string[] } {
  const record = readLive(join(system.data, 'run', 'pids'), 'proxy-0')
  if (record === null) throw new Error('no proxy runs')
  return record
}

/** Makes what runs look as if an earlier version had started it. */
function beOfVersion(system: System, name: string, version: string): void {
  const pids = join(system.data, 'run', 'pids')
  writeFileSync(join(pids, `${name}.json`), JSON.stringify({ ...readLive(pids, name), version }))
}

/** Of both instances behind an address, in the order of their names. */
async function rolePids(url: string): Promise<string[]> {
  const found = new Map<string, string>()
  await until('both have answered', async () => {
    const answer = await fetch(`${url}/pid`)
    found.set(answer.headers.get('x-instance') ?? '', await answer.text())
    return found.size === 2
  })
  return ['web_IN_0', 'web_IN_1'].map(name => found.get(name) ?? '')
}

t.test(
  'all of vipswap is replaced under load, by command and by the next up: nobody is refused, cut or sent away',
  async t => {
    const data = join(tempDir(t), 'd')
    const config = join(tempDir(t), 'vipswap.yaml')
    writeFileSync(config, 'workers: 1\n')
    const system = await startSystem(t, { data, words: ['--config', config] })
    const deployed = await system.cli('deploy', smallPackage(t, { version: '1.0.0', instances: 2 }))
    t.equal(deployed.code, 0, deployed.stderr)
    const staged = await system.cli('deploy', smallPackage(t, { version: '2.0.0', instances: 2 }), '--slot', 'staging')
    t.equal(staged.code, 0, staged.stderr)
    const production = await system.url('small', 'production')
    const load = startSteadyLoad(production, 8)
    t.teardown(() => load.stop())
    const goesOn = async (): Promise<void> => {
      const before = load.counts.ok
      await until('the load goes on', () => load.counts.ok > before + 50)
    }
    await goesOn()

    const first = proxyOf(system)
    const replaced = await runCli(['proxy', '--replace', '--data', data])
    t.equal(replaced.code, 0, replaced.stderr)
    t.equal(
      replaced.stdout,
      `proxy proxy-0 is now pid ${pidOf(system, 'proxy-0')}; pid ${first.pid} ends once nothing is left to it\n`,
    )
    t.not(pidOf(system, 'proxy-0'), first.pid)
    await until('the old one has ended', () => !isAlive(first))
    await goesOn()
    const swapped = await system.cli('swap')
    t.equal(swapped.code, 0, swapped.stderr)
    await until('the other side answers', () => (load.counts.texts.get('2.0.0') ?? 0) > 20)

    const second = proxyOf(system)
    const agents = ['node-0', 'node-1'].map(name => pidOf(system, name))
    const roles = await rolePids(production)
    system.up.kill('SIGKILL')
    await once(system.up, 'exit')
    for (const name of ['controller', 'node-0', 'node-1']) beOfVersion(system, name, '0.0.1')
    writeFileSync(config, 'workers: 2\nexposeInstance: true\n')
    const admin = system.admin.replace('http://', '')
    const next = await startSystem(t, { data, admin, words: ['--config', config] })
    for (const name of ['controller', 'node-0', 'node-1'])
      t.match(next.said(), new RegExp(`${name} renewed: pid \\d+ was of version 0\\.0\\.1, this is `))
    t.match(next.said(), /proxy-0 renewed: pid \d+ was with other arguments/)
    t.not(
      agents.some((pid, index) => pid === pidOf(next, `node-${index}`)),
      'the agents are others',
    )
    t.same(await rolePids(production), roles, 'and their instances the same')
    await until('the changed configuration is in force', async () =>
      (await fetch(production)).headers.has('x-vipswap-instance'),
    )
    const third = proxyOf(next)
    t.not(third.pid, second.pid, 'the next up has it replaced, since it wants two workers')
    t.same(third.args.slice(-2), ['--workers', '2'])
    t.equal(third.args.indexOf('--workers'), third.args.length - 2, 'in the place of the number before')
    t.match(next.said(), /proxy-0 adopted \(pid \d+\)$/m, 'it is what it is to be')
    await until('the second one has ended too', () => !isAlive(second))
    await goesOn()
    const back = await next.cli('swap')
    t.equal(back.code, 0, back.stderr)
    await goesOn()
    const { ok, failures } = await load.stop()
    t.same(Object.fromEntries(failures), {}, `${ok} requests, none lost`)

    process.kill(third.pid, 'SIGKILL')
    await until('up starts another when a successor dies', () => pidOf(next, 'proxy-0') !== third.pid)
    await until('the address answers', async () => (await fetch(production)).ok)
    await next.stop()
    t.same(processesIn(data), [])
  },
)

t.test('--replace without a running proxy says so', async t => {
  const data = tempDir(t)
  const { code, stderr } = await runCli(['proxy', '--replace', '--data', data])
  t.equal(code, 1)
  t.match(stderr, /^no proxy proxy-0 runs on .*: "vipswap proxy --data DIR --run DIR" starts one/)
})
