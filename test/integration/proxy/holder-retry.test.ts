import t from 'tap'
import { BoundListeners } from '../../../proxy/holder/bound-listeners.ts'
import { Holder } from '../../../proxy/holder/holder.ts'
import { createLogger } from '../../../src/core/logger.ts'
import { folders, free, GET, portIn, startController } from './holder-support.ts'
import { answering, ask, ok, pool, table, target } from './support.ts'

void t.test('a table that could not be applied is tried again', async t => {
  const dirs = folders(t)
  const origin = await answering(t, ok('x'))
  const first = table([pool([target(origin)])], { listeners: [free()] })
  const controller = await startController(t, dirs.run, first)
  const { follow } = BoundListeners.prototype
  let failed = 0
  BoundListeners.prototype.follow = async function (...args) {
    if (failed++ < 2) throw new Error('out of memory, say')
    await follow.apply(this, args)
  }
  const holder = new Holder({ ...dirs, id: 'proxy-0', workers: 1, log: createLogger('test') })
  t.teardown(async () => {
    BoundListeners.prototype.follow = follow
    await holder.stop()
  })
  holder.start()
  t.match(await ask(t, portIn(await controller.acked(first)), GET), /x$/)
  t.equal(failed, 3)
})
