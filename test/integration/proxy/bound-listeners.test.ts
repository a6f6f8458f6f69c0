import { join } from 'node:path'
import t from 'tap'
import { BoundListeners } from '../../../proxy/holder/bound-listeners.ts'
import { RetriedWrites } from '../../../proxy/holder/retried-writes.ts'
import { createLogger } from '../../../src/core/logger.ts'
import { tempDir } from '../../support/temp.ts'
import { listener, table } from './support.ts'

void t.test('nothing is bound any more once it is closed, also in the middle of a table', async t => {
  const writes = new RetriedWrites(createLogger('test'))
  const listeners = new BoundListeners(join(tempDir(t), 'ports.json'), writes, () => {})
  t.teardown(() => {
    for (const [, bound] of listeners.bound()) bound.close()
    listeners.close()
  })
  const places = ['a', 'b'].map((key, index) => listener({ key, host: `127.0.0.${index + 1}`, port: 0 }))
  const done = listeners.follow(table([], { listeners: places }))
  listeners.close()
  await done
  t.same([...listeners.bound()], [])
})
