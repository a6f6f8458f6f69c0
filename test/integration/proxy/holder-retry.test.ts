import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { Holder } from '../../../proxy/holder/holder.ts'
import { createLogger } from '../../../src/core/logger.ts'
import { folders, free, GET, portIn, startController } from './holder-support.ts'
import { answering, ask, ok, pool, table, target } from './support.ts'

void t.test('a table that could not be applied is tried again', async t => {
  const dirs = folders(t)
  const origin = await answering(t, ok('x'))
  const first = table([pool([target(origin)])], { listeners: [free()] })
  const controller = await startController(t, dirs.run, first)
  let looks = 0
  const unlucky = {
    ...first,
    get listeners() {
      if (looks++ < 2) throw new Error('out of memory, say')
      return first.listeners
    },
  }
  const inherited = { table: unlucky, ticketKeys: randomBytes(48).toString('base64'), listeners: new Map() }
  const road = { kind: 'socket', path: join(dirs.run, 'controller.sock') } as const
  const holder = new Holder({
    ...dirs,
    controller: road,
    id: 'proxy-0',
    workers: 1,
    log: createLogger('test'),
    inherited,
  })
  t.teardown(async () => holder.stop())
  holder.start()
  t.match(await ask(t, portIn(await controller.acked(first)), GET), /x$/)
  t.ok(looks > 2)
})
