import { kill } from 'node:process'
import t, { type Test } from 'tap'
import { until } from '../support/until.ts'
import { probedServer } from './support/probed-server.ts'
import { startSteadyLoad } from './support/steady-load.ts'
import { pidOf, smallPackage, startSystem } from './support/system.ts'

const EXTRA = `    slotSettings: { STORE: { production: live, staging: test } }
    warmUp: [{ path: /warm, accept: [204], timeout: 20s }]
`
const made = (t: Test, version: string): string =>
  smallPackage(t, { version, instances: 2, server: probedServer(), extra: EXTRA })

const store = async (url: string): Promise<string> => {
  const variables = (await (await fetch(`${url}/env`)).json()) as Record<string, string>
  return `${variables['ROLE_VERSION']} ${variables['SETTING_STORE']}`
}

t.test(
  'settings stay with their slot through prepare, commit, cancel and a killed controller; nobody notices',
  async t => {
    const system = await startSystem(t)
    const run = async (...words: string[]): Promise<void> => {
      const { code, stderr } = await system.cli(...words)
      t.equal(code, 0, `vipswap ${words.join(' ')}: ${stderr}`)
    }
    await run('deploy', made(t, '1.0.0'))
    await run('deploy', made(t, '2.0.0'), '--slot', 'staging')
    const production = await system.url('small', 'production')
    const staging = await system.url('small', 'staging')
    const idle = async (): Promise<void> => {
      await until('nothing is walked any more', async () => (await system.client.service('small')).operation === null, {
        timeoutMs: 30_000,
        intervalMs: 50,
      })
    }
    t.strictSame([await store(production), await store(staging)], ['1.0.0 live', '2.0.0 test'])
    const load = startSteadyLoad(production, 4, 5)

    await run('swap', 'prepare')
    t.strictSame([await store(production), await store(staging)], ['1.0.0 live', '2.0.0 live'])
    t.equal(await (await fetch(`${staging}/warmed`)).text(), '3', 'asked until it answered well')
    await run('swap', 'cancel')
    t.strictSame([await store(production), await store(staging)], ['1.0.0 live', '2.0.0 test'])

    await run('swap', 'prepare')
    await run('swap', 'commit')
    t.equal(await store(production), '2.0.0 live')
    await idle()
    t.equal(await store(staging), '1.0.0 test', 'the other side has staging values now')

    // Killed in the middle of a plain swap: the next controller goes on with it.
    const { operationId } = await system.client.swap('small', {})
    const killed = pidOf(system, 'controller')
    await until('it has begun', async () => (await system.client.operation(operationId)).progress.step === 'settings')
    kill(killed, 'SIGKILL')
    await until('another controller is there', () => pidOf(system, 'controller') !== killed, { timeoutMs: 20_000 })
    await until('the swap is done', async () => (await system.client.operation(operationId)).status === 'Succeeded', {
      timeoutMs: 40_000,
      intervalMs: 50,
    })
    t.equal(await store(production), '1.0.0 live')
    await idle()
    t.equal(await store(staging), '2.0.0 test')

    const { failures, ok } = await load.stop()
    t.ok(ok > 100)
    t.strictSame([...failures], [], `none of ${ok} requests was lost`)
  },
)
