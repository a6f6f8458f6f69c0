import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../support/until.ts'
import { startSteadyLoad } from '../system/support/steady-load.ts'
import { pidOf, processesIn, smallPackage, startSystem, type System } from '../system/support/system.ts'

const roles = (system: System): number[] =>
  processesIn(system.data)
    .filter(({ command }) => command.startsWith('node server.js'))
    .map(({ pid }) => pid)
    .toSorted((a, b) => a - b)

/** Ends the controller, ruins its database, leaves it no later snapshot than `snapshots`, and lets `up` start another. */
async function goBackTo(system: System, snapshots: string): Promise<void> {
  const controller = pidOf(system, 'controller')
  // It must not start another before the disk is as it is to be.
  system.up.kill('SIGSTOP')
  process.kill(controller, 'SIGKILL')
  const store = join(system.data, 'store')
  rmSync(`${store}.snapshots`, { recursive: true })
  cpSync(snapshots, `${store}.snapshots`, { recursive: true })
  rmSync(join(store, 'CURRENT'))
  system.up.kill('SIGCONT')
  await until('another controller is there', () => pidOf(system, 'controller') !== controller, { timeoutMs: 20_000 })
  await until('all are connected', async () => (await fetch(`${system.admin}/readyz`)).ok, { timeoutMs: 20_000 })
}

async function settled(system: System): Promise<void> {
  await until('everybody has been told', async () => (await system.client.recovery()).recovery === null, {
    timeoutMs: 20_000,
  })
}

t.test('a controller that went back in time breaks no traffic, before and after that is accepted', async t => {
  const system = await startSystem(t, { nodes: 1 })
  const run = async (...words: string[]): Promise<string> => {
    const { code, stderr, stdout } = await system.cli(...words)
    t.equal(code, 0, `vipswap ${words.join(' ')}: ${stderr}`)
    return stdout
  }
  const snapshots = join(system.data, 'store.snapshots')
  const made = (version: string, name = 'small'): string => smallPackage(t, { version, name, instances: 2 })
  await run('deploy', made('1.0.0'))
  await run('deploy', made('2.0.0'), '--slot', 'staging')
  const production = await system.url('small', 'production')
  const before = `${snapshots}-before-swap`
  cpSync(snapshots, before, { recursive: true })
  await run('swap')
  const pids = roles(system)
  const load = startSteadyLoad(production, 4, 5)
  t.teardown(() => load.stop())
  const answered = async (text: string): Promise<void> => {
    const known = load.counts.texts.get(text) ?? 0
    await until(`${text} answers`, () => (load.counts.texts.get(text) ?? 0) > known + 20)
  }

  await goBackTo(system, before)
  await answered('2.0.0')
  t.notOk([...load.counts.texts.keys()].includes('1.0.0'), 'the swap that it does not know of stands')
  const { recovery } = await system.client.recovery()
  t.match(recovery, { state: 'held', lost: { to: Number }, stops: [], keeps: [], starts: [] })
  t.match(readdirSync(recovery?.aside ?? ''), ['store', 'store.head'], 'the damaged pieces are set aside')
  await t.rejects(system.client.swap('small', {}), { code: 'recovery_pending', status: 409 })
  t.match((await system.cli('status')).stderr, /see "vipswap recovery"/)
  t.match((await (await fetch(`${system.admin}/readyz`)).json()) as object, { ready: true, reason: /put back/ })
  t.match(await run('recovery'), /stops and starts nothing/)
  // A restart in between changes nothing of it.
  const held = pidOf(system, 'controller')
  process.kill(held, 'SIGKILL')
  await until('another controller is there', () => pidOf(system, 'controller') !== held, { timeoutMs: 20_000 })
  await until('it is ready', async () => (await fetch(`${system.admin}/readyz`)).ok, { timeoutMs: 20_000 })
  t.equal((await system.client.recovery()).recovery?.state, 'held')
  await answered('2.0.0')

  await run('recovery', '--accept')
  await settled(system)
  await answered('1.0.0')
  t.same(roles(system), pids, 'the same processes serve')
  await t.rejects(system.client.acceptRecovery(), { code: 'nothing_to_do' })

  // Now an upgrade and another service are lost.
  const earlier = `${snapshots}-before-upgrade`
  cpSync(snapshots, earlier, { recursive: true })
  await run('upgrade', made('3.0.0'), '--slot', 'production', '--mode', 'auto')
  await run('deploy', made('9.0.0', 'other'))
  const other = await system.url('other', 'production')
  const upgraded = roles(system)
  await goBackTo(system, earlier)
  await answered('3.0.0')
  t.equal((await (await fetch(other)).text()).trim(), '9.0.0', 'what it does not know of serves on')
  const second = (await system.client.recovery()).recovery
  t.match(second, { state: 'held', starts: [] })
  const deployment = (await system.client.service('small')).slots.production?.id ?? ''
  t.same(second?.keeps.toSorted(), [`${deployment}/web_IN_0`, `${deployment}/web_IN_1`])
  t.equal(second?.stops.length, 2, 'the other service would be stopped')
  await run('recovery', '--accept')
  await settled(system)
  await answered('3.0.0')
  await until('the other service has been stopped', () => roles(system).length === 4)
  t.ok(
    roles(system).every(pid => upgraded.includes(pid)),
    'nothing that serves was started anew',
  )
  // Planned work goes on from here; names of what was lost are not given again.
  await run('deploy', made('4.0.0', 'third'))
  t.ok(Number((await system.client.service('third')).slots.production?.id.slice(1)) > 100)
  await run('upgrade', made('5.0.0'), '--mode', 'auto')
  await answered('5.0.0')
  const { ok, failures } = await load.stop()
  t.same(Object.fromEntries(failures), {}, `${ok} requests, none lost`)
})
