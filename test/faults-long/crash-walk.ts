import t from 'tap'
import { startCrashRig } from '../system/support/crash-rig.ts'
import { CrashWalk, type Walked } from '../system/support/crash-walk.ts'

const KINDS: readonly Walked[] = ['swap', 'deploy and delete', 'scale', 'upgrade', 'rollback']

for (const when of ['before', 'after'] as const) {
  t.test(`a controller killed ${when} every commit of every operation`, async t => {
    const walk = await CrashWalk.begin(t, await startCrashRig(t))
    const kills: Record<string, number> = {}
    for (const kind of KINDS) kills[kind] = await walk.walk(kind, when)
    const requests = await walk.end()
    t.ok(
      Object.values(kills).every(count => count > 0),
      `${requests} requests; killed ${JSON.stringify(kills)}`,
    )
  })
}
