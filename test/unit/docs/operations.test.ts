import { readFileSync } from 'node:fs'
import t from 'tap'
import { operationsText } from '../../../src/controller/publish-operations.ts'

t.test('docs/operations.md is what the table prints', async t => {
  t.equal(readFileSync('docs/operations.md', 'utf8'), operationsText())
})
