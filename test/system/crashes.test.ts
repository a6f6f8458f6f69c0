import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { startSteadyLoad } from './support/steady-load.ts'
import { pidOf, processesIn, smallPackage, startSystem, type System } from './support/system.ts'

async function instancePids(system: System): Promise<(number | null)[]> {
  return (await system.client.service('small')).slots.production?.instances.map(({ pid }) => pid) ?? []
}

/** Kills a part and waits until `up` has another in its place and everything is connected again. */
async function killPart(system: System, name: string): Promise<void> {
  const before = pidOf(system, name)
  process.kill(before, 'SIGKILL')
  await until(`${name} is started again`, () => pidOf(system, name) !== before)
  await until('the system is ready', async () => (await fetch(`${system.admin}/readyz`)).ok, { timeoutMs: 20_000 })
}

// Agents and instances: faults/quick.test.ts.
t.test('the controller may be killed at any time: callers notice nothing, nothing is doubled', async t => {
  const system = await startSystem(t)
  const deployed = await system.cli('deploy', smallPackage(t, { version: '1.0.0' }))
  t.equal(deployed.code, 0, deployed.stderr)
  const production = await system.url('small', 'production')
  const pids = await instancePids(system)
  const load = startSteadyLoad(production, 4)
  t.teardown(() => load.stop())
  for (const name of ['controller', 'controller']) {
    await killPart(system, name)
    const before = load.counts.ok
    await until('the load goes on', () => load.counts.ok > before + 20)
  }
  const { ok, failures } = await load.stop()
  t.same(Object.fromEntries(failures), {}, `${ok} requests, none lost`)
  await until('every agent has adopted its instances', async () => {
    const now = await instancePids(system)
    return now.every(pid => pid !== null) && now.length === 4
  })
  t.same(await instancePids(system), pids, 'the same processes serve')
  const serving = processesIn(system.data).filter(({ command }) => command.startsWith('node server.js'))
  t.equal(serving.length, 4, 'one process an instance')
})

t.test('a killed proxy is back by itself on the same addresses, and no instance was touched', async t => {
  const system = await startSystem(t)
  const deployed = await system.cli('deploy', smallPackage(t, { version: '1.0.0', instances: 2 }))
  t.equal(deployed.code, 0, deployed.stderr)
  const production = await system.url('small', 'production')
  const pids = await instancePids(system)
  await killPart(system, 'proxy-0')
  await until('the address answers', async () => (await fetch(production)).ok)
  t.equal(await system.url('small', 'production'), production)
  t.same(await instancePids(system), pids)
  const staged = await system.cli('deploy', smallPackage(t, { version: '2.0.0', instances: 2 }), '--slot', 'staging')
  t.equal(staged.code, 0, `planned work goes on with the new proxy: ${staged.stderr}`)
  const swapped = await system.cli('swap')
  t.equal(swapped.code, 0, swapped.stderr)
  t.equal((await (await fetch(production)).text()).trim(), '2.0.0')
})

t.test('a killed up leaves everything serving, and the next one takes it over', async t => {
  const data = join(tempDir(t), 'd')
  const first = await startSystem(t, { data })
  const deployed = await first.cli('deploy', smallPackage(t, { version: '1.0.0', instances: 2 }))
  t.equal(deployed.code, 0, deployed.stderr)
  const production = await first.url('small', 'production')
  const pids = await instancePids(first)
  const controller = pidOf(first, 'controller')
  first.up.kill('SIGKILL')
  await once(first.up, 'exit')
  t.equal((await fetch(production)).status, 200)
  const second = await startSystem(t, { data, admin: first.admin.replace('http://', '') })
  t.equal(pidOf(second, 'controller'), controller, 'adopted, not started again')
  t.same(await instancePids(second), pids)
  await second.stop()
  t.same(processesIn(data), [], 'Ctrl-C ends what it adopted')
  const third = await startSystem(t, { data, admin: first.admin.replace('http://', '') })
  await until('what was deployed is there again', async () => (await fetch(production)).ok, { timeoutMs: 20_000 })
  t.equal((await third.client.service('small')).slots.production?.version, '1.0.0')
})

t.test('a stop goes on to its end when up is killed in the middle of it', async t => {
  const system = await startSystem(t)
  const deployed = await system.cli('deploy', smallPackage(t, { version: '1.0.0', instances: 2 }))
  t.equal(deployed.code, 0, deployed.stderr)
  system.up.kill('SIGINT')
  await until('the stop is written down', () => existsSync(join(system.data, 'run', 'stop')), { intervalMs: 1 })
  system.up.kill('SIGKILL')
  await until('nothing is left running', () => processesIn(system.data).length === 0, { timeoutMs: 20_000 })
  await t.rejects(fetch(`${system.admin}/healthz`), 'the admin address is free')
})
