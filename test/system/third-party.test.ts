import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { installInto } from './support/install.ts'
import { startSteadyLoad } from './support/steady-load.ts'
import { startSystem } from './support/system.ts'

/** http-server, unmodified, with one page. */
function webSite(t: Test, version: string): string {
  const folder = join(tempDir(t), 'p')
  mkdirSync(join(folder, 'public'), { recursive: true })
  installInto(folder, 'http-server')
  writeFileSync(join(folder, 'public', 'index.html'), `<h1>${version}</h1>`)
  writeFileSync(
    join(folder, 'service.yaml'),
    `name: site
version: ${version}
roles:
  web:
    command: node node_modules/http-server/bin/http-server public -a $HOST -p $PORT -c-1 --silent
    instances: 3
    endpoints:
      http: { port: 0 }
    probe: { path: / , interval: 200ms }
`,
  )
  return folder
}

t.test(
  'a server from the registry that knows nothing of vipswap is swapped and upgraded under load without a loss',
  async t => {
    const system = await startSystem(t)
    const [first, second] = [webSite(t, '1.0.0'), webSite(t, '2.0.0')]
    for (const words of [
      ['deploy', first],
      ['deploy', second, '--slot', 'staging'],
    ]) {
      const { code, stderr } = await system.cli(...words)
      t.equal(code, 0, stderr)
    }
    const load = startSteadyLoad(`${await system.url('site', 'production')}/`)
    t.teardown(() => load.stop())
    await until('the load runs', () => load.counts.ok > 50)
    for (let swap = 0; swap < 3; swap++) {
      const { code, stderr } = await system.cli('swap')
      t.equal(code, 0, stderr)
      const before = load.counts.ok
      await until('the load goes on', () => load.counts.ok > before + 20)
    }
    // Three swaps: production runs 2.0.0, so that the first version is the news.
    const upgraded = await system.cli('upgrade', first, '--mode', 'auto')
    t.equal(upgraded.code, 0, upgraded.stderr)
    const { ok, failures, texts } = await load.stop()
    t.same(Object.fromEntries(failures), {}, `${ok} requests, none lost`)
    t.same([...texts.keys()].toSorted(), ['<h1>1.0.0</h1>', '<h1>2.0.0</h1>'])
    t.equal((await (await fetch(await system.url('site', 'production'))).text()).trim(), '<h1>1.0.0</h1>')
    const receipt = await system.client.receipt((await system.client.operations({ service: 'site' }))[0]?.id ?? '')
    t.equal(receipt.operation.kind, 'upgrade')
    t.equal(receipt.totals.broken, 0)
    t.ok(receipt.totals.answered > 0)
  },
)
