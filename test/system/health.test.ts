import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { examplePackage, startSystem } from './support/system.ts'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'

t.test('a watchdog stops an upgrade between two domains; its operator mends and goes on', async t => {
  const system = await startSystem(t)
  const deploy = await system.cli('deploy', examplePackage(t, 'guestbook/1.0.0'))
  t.equal(deploy.code, 0, deploy.stderr)
  const policy = join(tempDir(t), 'policy.yaml')
  writeFileSync(policy, 'healthCheckStableDuration: 1s\nhealthCheckRetryTimeout: 1s\nhealthCheckInterval: 200ms\n')

  const said = await system.cli(
    'health',
    'report',
    'watchdog',
    'basket',
    '--state',
    'Error',
    '--description',
    'is empty',
  )
  t.match(said, { code: 0, stdout: /Error deployment: watchdog\/basket: is empty/ })
  const back = await system.cli('upgrade', examplePackage(t, 'guestbook/1.5.0'), '--policy', policy)
  t.equal(back.code, 1, 'rolled back')
  t.match(back.stderr, /HealthCheck: unhealthy after domain 0 for 1 s: watchdog\/basket: is empty/)

  await until(
    'the rollback is over',
    async () => (await system.client.deployment('guestbook', 'production')).upgradeStatus === undefined,
  )

  writeFileSync(
    policy,
    'failureAction: manual\nhealthCheckStableDuration: 1s\nhealthCheckRetryTimeout: 1s\nhealthCheckInterval: 200ms\n',
  )
  t.equal((await system.cli('upgrade', examplePackage(t, 'guestbook/1.5.0'), '--policy', policy)).code, 1)
  t.match(await system.client.deployment('guestbook', 'production'), {
    policy: { failureAction: 'manual' },
    upgradeStatus: { mode: 'unmonitored-manual', failure: { reason: 'HealthCheck' }, verified: [] },
  })
  t.equal((await system.cli('health', 'report', 'watchdog', 'basket', '--state', 'Ok')).code, 0)
  const on = await system.cli('upgrade', 'set', '--mode', 'monitored')
  t.equal(on.code, 0, on.stderr)
  t.match(await system.client.deployment('guestbook', 'production'), { version: '1.5.0' })
  t.match(await system.client.health('guestbook', 'production'), { state: 'Ok', evaluations: [] })
})
