import t, { type Test } from 'tap'
import { startSteadyLoad } from './support/steady-load.ts'
import { smallPackage, startSystem, type System } from './support/system.ts'

async function run(t: Test, system: System, ...words: string[]): Promise<string> {
  const { code, stderr, stdout } = await system.cli(...words)
  t.equal(code, 0, `vipswap ${words.join(' ')}: ${stderr}`)
  return stdout
}

/** What the newest receipt of a kind says. */
async function receiptOf(system: System, kind: string) {
  const operation = (await system.client.operations()).find(each => each.kind === kind)
  return system.client.receipt(operation?.id ?? '')
}

t.test('one instance is upgraded, and leaves a drained node, with no request held or broken', async t => {
  const system = await startSystem(t)
  await run(t, system, 'deploy', smallPackage(t, { version: '1.0.0', instances: 1 }))
  const load = startSteadyLoad(`${await system.url('small', 'production')}/`, 4)
  await run(t, system, 'upgrade', smallPackage(t, { version: '2.0.0', instances: 1 }), '--mode', 'auto')
  t.match(await receiptOf(system, 'upgrade'), { complete: true, totals: { held: 0, broken: 0 } })
  const before = await system.client.deployment('small', 'production')
  const node = before.instances[0]?.node ?? ''
  const drain = await system.cli('node', 'drain', node)
  t.equal(drain.code, 0, drain.stderr)
  t.match(drain.stderr, `drain of node ${node} succeeded`)
  const after = await system.client.deployment('small', 'production')
  t.not(after.instances[0]?.node, node)
  t.match(
    (await system.client.nodes()).find(({ name }) => name === node),
    { use: 'drained', instances: 0 },
  )
  await run(t, system, 'node', 'undrain', node)
  const { failures, ok } = await load.stop()
  t.strictSame([...failures], [])
  t.ok(ok > 0)
  t.match(after, { version: '2.0.0', instances: [{ status: 'ReadyRole', routing: 'in' }] })
})

t.test('a drained instance gets no request, keeps its process, and comes back', async t => {
  const system = await startSystem(t)
  await run(t, system, 'deploy', smallPackage(t, { version: '1.0.0', instances: 2 }))
  const pids = async () => (await system.client.deployment('small', 'production')).instances.map(({ pid }) => pid)
  const before = await pids()
  const load = startSteadyLoad(`${await system.url('small', 'production')}/`, 2)
  await run(t, system, 'drain', 'web_IN_0')
  const drained = await system.client.deployment('small', 'production')
  t.match(drained.instances[0], { status: 'ReadyRole', drained: true })
  t.not(drained.instances[0]?.routing, 'in')
  await run(t, system, 'undrain', 'web_IN_0')
  const { failures } = await load.stop()
  t.strictSame([...failures], [])
  t.strictSame(await pids(), before)
  t.match((await system.client.deployment('small', 'production')).instances[0], { routing: 'in', drained: false })
})
