import { readFileSync } from 'node:fs'
import t from 'tap'
import { ERRORS } from '../../../src/core/errors.ts'

t.test('docs/errors.md lists exactly the codes of the catalogue, with their statuses', async t => {
  const rows = readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `(\w+)` \| (\d+) \|/gm)
  const documented = Object.fromEntries([...rows].map(([, code, status]) => [code, Number(status)]))
  t.same(documented, Object.fromEntries(Object.entries(ERRORS).map(([code, { status }]) => [code, status])))
})
