import { readFileSync } from 'node:fs'
import t from 'tap'

t.test('docs/dependencies.md has a row for each production dependency, and no other', async t => {
  const rows = readFileSync('docs/dependencies.md', 'utf8').matchAll(/^\| `([^`]+)`(?: \(`[^`]+`\))? \|(.+)\|$/gm)
  const written = [...rows].map(([, name, rest = '']) => {
    for (const cell of rest.split('|')) t.ok(cell.trim() !== '', `${name} has every cell`)
    return name
  })
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> }
  t.strictSame(written, Object.keys(dependencies).toSorted())
  for (const [name, version] of Object.entries(dependencies))
    t.match(version, /^(npm:[\w@/-]+@)?\d+\.\d+\.\d+$/, `${name} is exact`)
})
