import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { VipswapError } from '../../src/core/errors.ts'
import { until } from '../support/until.ts'
import { startSteadyLoad } from '../system/support/steady-load.ts'
import { pidOf, smallPackage, startSystem } from '../system/support/system.ts'

/** Lets every flush of a process's journal fail from now on; needs strace. */
async function failFlushes(pid: number, error: 'EIO' | 'ENOSPC'): Promise<void> {
  const inject = ['-e', 'trace=fdatasync', '-e', `inject=fdatasync:error=${error}`]
  const strace = spawn('strace', ['-f', '-p', String(pid), '-o', '/dev/null', ...inject], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  strace.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await Promise.race([
    until('strace is attached', () => /attached/.test(said)),
    once(strace, 'exit').then(() => {
      throw new Error(`strace: ${said}`)
    }),
  ])
}

for (const [error, code, status] of [
  ['EIO', 'store_damaged', 503],
  ['ENOSPC', 'store_full', 507],
] as const) {
  t.test(
    `${error} from a flush of the journal: nothing is acknowledged after it, and callers notice nothing`,
    async t => {
      const system = await startSystem(t, { nodes: 1 })
      for (const [version, slot] of [['1.0.0', 'production'] as const, ['2.0.0', 'staging'] as const]) {
        const { code: exit, stderr } = await system.cli(
          'deploy',
          smallPackage(t, { version, instances: 2 }),
          '--slot',
          slot,
        )
        t.equal(exit, 0, stderr)
      }
      const production = await system.url('small', 'production')
      const load = startSteadyLoad(production, 2, 5)
      t.teardown(() => load.stop())
      const controller = pidOf(system, 'controller')
      await failFlushes(controller, error)
      const refused = await system.client
        .swap('small', {}, { idempotencyKey: 'one' })
        .catch((thrown: unknown) => thrown)
      t.ok(refused instanceof VipswapError)
      t.match(refused, { code, status })
      // The controller ends, `up` starts another, whose disk is well.
      await until('another controller is there', () => pidOf(system, 'controller') !== controller, {
        timeoutMs: 30_000,
      })
      await until('it is ready', async () => (await fetch(`${system.admin}/readyz`)).ok, { timeoutMs: 30_000 })
      t.equal((await system.client.recovery()).recovery, null, 'nothing was lost')
      const { operationId } = await system.client.swap('small', {}, { idempotencyKey: 'one' })
      await until('the swap is done', async () => (await system.client.operation(operationId)).status === 'Succeeded', {
        timeoutMs: 30_000,
      })
      const swaps = (await system.client.operations({ service: 'small' })).filter(({ kind }) => kind === 'swap')
      t.equal(swaps.length, 1, 'whole or not at all')
      const before = load.counts.texts.get('2.0.0') ?? 0
      await until('the other version answers', () => (load.counts.texts.get('2.0.0') ?? 0) > before + 10)
      const { ok, failures } = await load.stop()
      t.same(Object.fromEntries(failures), {}, `${ok} requests, none lost`)
    },
  )
}
