import t from 'tap'
import { EVERY_KIND, newest, probedPackage, versionAt } from './support/probed.ts'
import { probedServer } from './support/probed-server.ts'
import { startSystem } from './support/system.ts'

t.test('upgrade --verify: every kind of traffic passes a walk, and a loss rolls it back', async t => {
  const system = await startSystem(t)
  t.equal((await system.cli('deploy', probedPackage(t, '1.0.0', EVERY_KIND))).code, 0)
  const production = await system.url('small', 'production')
  const good = await system.cli('upgrade', probedPackage(t, '2.0.0', EVERY_KIND), '--mode', 'auto', '--verify')
  t.equal(good.code, 0, `${good.stderr} ${JSON.stringify((await newest(system, 'upgrade')).error)}`)
  t.equal(await versionAt(production), '2.0.0')
  const { totals } = await system.client.receipt((await newest(system, 'upgrade')).id)
  t.equal(totals.broken, 0)
  t.ok(totals.arrived >= 2600, `${totals.arrived} requests over two domains`)

  for (const server of [probedServer({ drop: 61 }), probedServer({ cut: true })]) {
    const bad = await system.cli(
      'upgrade',
      probedPackage(t, '3.0.0', EVERY_KIND, { server }),
      '--mode',
      'auto',
      '--verify',
    )
    t.equal(bad.code, 1)
    t.match(await newest(system, 'upgrade'), { status: 'RolledBack', error: { code: 'verify_failed' } })
    // It begins in the same commit, and goes on when the command has ended.
    const { id } = await newest(system, 'rollback')
    t.equal((await system.client.follow(id, { timeoutMs: 60_000 })).status, 'Succeeded')
    t.equal(await versionAt(production), '2.0.0')
  }
})
