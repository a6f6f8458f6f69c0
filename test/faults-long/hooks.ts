import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kill } from 'node:process'
import t from 'tap'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { pidOf, processesIn, smallPackage, startSystem } from '../system/support/system.ts'

t.test('a hook that a killed controller leaves running is ended before it is begun again', async t => {
  const folder = tempDir(t)
  const script = join(folder, 'long.js')
  // Says when it begins and when it is asked to end, and stays for a while then.
  writeFileSync(
    script,
    `const { appendFileSync } = require('node:fs')
const say = word => appendFileSync(${JSON.stringify(join(folder, 'said'))}, word + ' ' + process.pid + '\\n')
process.on('SIGTERM', () => setTimeout(() => { say('end'); process.exit(0) }, 300))
setInterval(() => {}, 1000)
say('begin')`,
  )
  const said = (): string[] => {
    try {
      return readFileSync(join(folder, 'said'), 'utf8').trim().split('\n')
    } catch {
      return []
    }
  }
  const system = await startSystem(t, {
    nodes: 1,
    config: `hooks: { pre-swap: { command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(script)}], timeout: 10m } }\n`,
  })
  for (const [version, slot] of [['1.0.0', 'production'] as const, ['2.0.0', 'staging'] as const]) {
    const deployed = await system.cli('deploy', smallPackage(t, { version, instances: 1 }), '--slot', slot)
    t.equal(deployed.code, 0, deployed.stderr)
  }
  await system.client.swap('small', {})
  await until('the hook runs', () => said().length === 1, { timeoutMs: 20_000 })
  const [, first = ''] = said()[0]?.split(' ') ?? []
  kill(pidOf(system, 'controller'), 'SIGKILL')
  await until('it was begun again', () => said().filter(line => line.startsWith('begin')).length === 2, {
    timeoutMs: 20_000,
  })
  t.match(said(), [`begin ${first}`, `end ${first}`, /^begin /], 'one after the other')
  t.equal(processesIn(folder).length, 1)
})
