import { readFileSync } from 'node:fs'
import t from 'tap'
import { allowedChangesText } from '../../../src/fabric/allowed-changes.ts'

t.test('docs/allowed-changes.md is the table of the rules', async t => {
  t.equal(
    readFileSync('docs/allowed-changes.md', 'utf8'),
    allowedChangesText(),
    'run `npm run build && node dist/src/controller/publish-allowed-changes.js docs/allowed-changes.md`',
  )
})
