import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../support/until.ts'
import { smallPackage, startSystem } from './support/system.ts'

t.test('packages in use stay, of the others only the newest few', async t => {
  const system = await startSystem(t, { nodes: 1, config: 'packages: { keep: 1 }\n' })
  for (const version of ['1.0.0', '2.0.0', '3.0.0', '4.0.0']) {
    const words = ['deploy', smallPackage(t, { version, instances: 1 }), '--slot', 'staging', '--replace']
    const { code, stderr } = await system.cli(...words)
    t.equal(code, 0, stderr)
  }
  const kept = (): string[] => readdirSync(join(system.data, 'packages')).filter(name => name.endsWith('.tar'))
  await until('one in use and one more are left', () => kept().length === 2)
  const inUse = (await system.client.service('small')).slots.staging?.package
  t.ok(kept().includes(`${inUse}.tar`))
  t.same((await system.client.gc()).removed, [], 'nothing is left to collect')
})
