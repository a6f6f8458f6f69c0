import t from 'tap'
import { hasWrk, runWrk } from '../../bench/system/wrk.ts'
import { smallPackage, startSystem } from './support/system.ts'

const skip = hasWrk() ? false : 'wrk is not installed'

t.test('wrk, a client that is not ours, counts no error over swaps and an upgrade', { skip }, async t => {
  const system = await startSystem(t)
  const packages = ['1.0.0', '2.0.0'].map(version => smallPackage(t, { version, instances: 2 }))
  const run = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await system.cli(...words)
    t.equal(code, 0, stderr)
  }
  await run('deploy', packages[0] ?? '')
  await run('deploy', packages[1] ?? '', '--slot', 'staging')
  const load = runWrk(`${await system.url('small', 'production')}/`, 6)
  await run('swap')
  await run('upgrade', packages[0] ?? '', '--mode', 'auto')
  await run('swap')
  const { requests, socketErrors, badStatus, output } = await load
  t.ok(requests > 0, output)
  t.equal(socketErrors, 0, output)
  t.equal(badStatus, 0, output)
})
