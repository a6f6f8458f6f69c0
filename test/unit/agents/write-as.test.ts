import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeAs } from '../../../agents/write-as.ts'
import { tempDir } from '../../support/temp.ts'

const HERE = { setpriv: null, isRoot: false }
const SOMEBODY = { name: 'somebody', uid: 54_321, gid: 54_321 }

t.test('a file is written whole, and its folder made', async t => {
  const path = join(tempDir(t), 'home', '.vipswap', 'settings.json')
  for (const text of ['{"a": "ä"}\n', '']) {
    await writeAs(HERE, SOMEBODY, { path, text })
    t.equal(readFileSync(path, 'utf8'), text)
  }
})

t.test('what a role has put in the way holds up that write alone, and not for long', async t => {
  const path = join(tempDir(t), 'settings.json')
  execFileSync('mkfifo', [`${path}.tmp`])
  let turns = 0
  const timer = setInterval(() => (turns += 1), 10)
  t.teardown(() => clearInterval(timer))
  // More than a pipe holds, so that it is not even taken.
  const text = 'x'.repeat(1024 * 1024)
  await t.rejects(writeAs(HERE, SOMEBODY, { path, text, timeoutMs: 300 }), { code: 'start_failed' })
  t.ok(turns > 0, 'others go on')

  const folder = join(tempDir(t), 'folder')
  mkdirSync(join(folder, 'settings.json', 'full'), { recursive: true })
  mkdirSync(join(folder, 'settings.json.tmp'))
  await t.rejects(writeAs(HERE, SOMEBODY, { path: join(folder, 'settings.json'), text }), {
    code: 'start_failed',
    message: /could not be written as somebody/,
  })
})
