import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { untilWritable, whyNotWritable } from '../../../src/core/writable.ts'
import { tempDir } from '../../support/temp.ts'

t.test('a folder that can be written is left as it was', async t => {
  const folder = tempDir(t)
  writeFileSync(join(folder, 'a'), '')
  t.equal(await whyNotWritable(folder), null)
  t.strictSame(readdirSync(folder), ['a'])
})

t.test('one that cannot is waited for, and said once why', async t => {
  const folder = join(tempDir(t), 'later')
  const said: string[] = []
  let looks = 0
  const writable = await untilWritable(folder, {
    onWait: why => said.push(why),
    isGivenUp: () => {
      looks += 1
      if (looks === 3) mkdirSync(folder)
      return false
    },
  })
  t.equal(writable, true)
  t.equal(looks, 3)
  t.equal(said.length, 1)
  t.match(said[0], /ENOENT/)
})

t.test('nobody waits who has given up', async t => {
  const folder = join(tempDir(t), 'never')
  t.equal(await untilWritable(folder, { onWait: () => t.fail('it waited'), isGivenUp: () => true }), false)
})
