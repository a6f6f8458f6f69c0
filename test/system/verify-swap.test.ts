import t from 'tap'
import { newest, probedPackage, versionAt } from './support/probed.ts'
import { probedServer } from './support/probed-server.ts'
import { startSystem } from './support/system.ts'

const GET = '    verify: [{ path: /work }]\n'
const POST = '    verify: [{ path: /work, kind: post }]\n'

t.test('swap --verify: a sound version stays, one that drops a request of its first 500 goes back', async t => {
  const system = await startSystem(t)
  const sound = await system.cli('deploy', probedPackage(t, '1.0.0', GET))
  t.equal(sound.code, 0, sound.stderr)
  t.equal((await system.cli('deploy', probedPackage(t, '2.0.0', GET), '--slot', 'staging')).code, 0)
  const production = await system.url('small', 'production')
  const good = await system.cli('swap', '--verify')
  t.equal(good.code, 0, good.stderr)
  t.equal(await versionAt(production), '2.0.0')
  const { totals } = await system.client.receipt((await newest(system, 'swap')).id)
  t.ok(totals.arrived >= 1300, `${totals.arrived} requests, 650 for each instance`)
  t.equal(totals.broken, 0)
  t.equal(totals.replayed, 0)

  // A GET that got no answer is sent again by the proxy: the caller sees nothing, and it is noticed all the same.
  // A POST is not: there the traffic itself loses it.
  for (const [extra, drop] of [
    [GET, 437],
    [POST, 500],
  ] as const) {
    const bad = probedPackage(t, '3.0.0', extra, { server: probedServer({ drop }) })
    t.equal((await system.cli('deploy', bad, '--slot', 'staging', '--replace')).code, 0)
    const back = await system.cli('swap', '--verify')
    t.equal(back.code, 1, back.stderr)
    t.match(await newest(system, 'swap'), { status: 'RolledBack', error: { code: 'verify_failed' } })
    t.equal(await versionAt(production), '2.0.0', `a drop of request ${drop} was undone`)
  }
})
