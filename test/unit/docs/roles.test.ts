import { readFileSync } from 'node:fs'
import t from 'tap'
import { ROLE_OF_CALL } from '../../../src/admin/access/permissions.ts'
import { ACCESS_ROLES } from '../../../src/core/access-role.ts'

t.test('docs/security.md lists exactly the calls of the table, under their roles', async t => {
  const text = readFileSync('docs/security.md', 'utf8')
  const listed = ACCESS_ROLES.flatMap(role => {
    const line = new RegExp(`^- ${role}: (.*(?:\\n  .*)*)`, 'm').exec(text)?.[1] ?? ''
    return [...line.matchAll(/`(\w+)`/g)].map(([, call = '']) => [call, role])
  })
  t.strictSame(Object.fromEntries(listed), { ...ROLE_OF_CALL })
})
