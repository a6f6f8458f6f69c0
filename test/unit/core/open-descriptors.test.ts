import { open } from 'node:fs/promises'
import t from 'tap'
import { descriptorCounter } from '../../../src/core/open-descriptors.ts'
import { until } from '../../support/until.ts'

for (const [where, told] of [
  ['the system tells their number, or else', undefined],
  ['it does not:', () => 0],
] as const) {
  void t.test(`${where} every descriptor that is opened is counted`, async t => {
    const count = descriptorCounter(told)
    const before = await until('there is a count', count)
    const files = await Promise.all(Array.from({ length: 50 }, async () => open('/dev/null')))
    await until('all are counted', () => count() >= before + 45)
    for (const file of files) await file.close()
    await until('none is counted any more', () => count() < before + 45)
    t.ok(before > 0)
  })
}
