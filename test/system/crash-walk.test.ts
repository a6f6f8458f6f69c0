import t from 'tap'
import { startCrashRig } from './support/crash-rig.ts'
import { CrashWalk } from './support/crash-walk.ts'

// One commit of each operation; every one of each: npm run test:crashes.
t.test(
  'a controller killed at a commit is followed by one that ends what it began; callers notice nothing',
  async t => {
    const rig = await startCrashRig(t)
    const walk = await CrashWalk.begin(t, rig)
    t.match(
      await rig.second(),
      { code: 1, said: /already_running.*a controller on this data folder/ },
      'only one at a time',
    )
    const kills: Record<string, number> = {}
    kills['swap'] = await walk.walk('swap', 'after', { first: 2, stride: 30 })
    kills['deploy and delete'] = await walk.walk('deploy and delete', 'after', { first: 3, stride: 30 })
    kills['scale'] = await walk.walk('scale', 'before', { first: 3, stride: 30 })
    kills['upgrade'] = await walk.walk('upgrade', 'after', { first: 5, stride: 30 })
    kills['rollback'] = await walk.walk('rollback', 'after', { first: 3, stride: 30 })
    const requests = await walk.end()
    t.ok(
      Object.values(kills).every(count => count > 0),
      `${requests} requests; killed ${JSON.stringify(kills)}`,
    )
  },
)
