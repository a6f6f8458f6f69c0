import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ACCESS_ROLES, covers } from '../../../src/core/access-role.ts'
import { readTokenFile, readTokens } from '../../../src/core/token-file.ts'
import { WatchedFiles } from '../../../src/core/watched-files.ts'
import { tempDir } from '../../support/temp.ts'

t.test('a line is a token, a name with one, or a name with its role; without a role it is an admin', async t => {
  t.strictSame(readTokens('# who may\nplain\n\nalice secret-a\r\n  ci:operator   secret-c  \nwall:viewer secret-w'), [
    { name: 'token', role: 'admin', token: 'plain' },
    { name: 'alice', role: 'admin', token: 'secret-a' },
    { name: 'ci', role: 'operator', token: 'secret-c' },
    { name: 'wall', role: 'viewer', token: 'secret-w' },
  ])
  for (const wrong of [
    'a b c',
    'a:root secret',
    'a:viewer:x secret',
    ':viewer secret',
    'a: secret',
    'a\u001b[2J secret',
  ])
    t.throws(() => readTokens(`# one\n${wrong}`), { code: 'usage', message: /^line 2 (?!.*secret)/ }, wrong)
})

t.test('a role covers itself and those before it', async t => {
  const table = ACCESS_ROLES.map(has => ACCESS_ROLES.map(needs => covers(has, needs)))
  t.strictSame(table, [
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ])
})

t.test('a token file that others may read, or that is not there or empty, is refused', async t => {
  const file = join(tempDir(t), 'tokens')
  t.throws(() => readTokenFile(file), { code: 'usage', message: /ENOENT/ })
  writeFileSync(file, 'alice secret-a\n', { mode: 0o600 })
  t.strictSame(readTokenFile(file), [{ name: 'alice', role: 'admin', token: 'secret-a' }])
  for (const mode of [0o640, 0o604, 0o620, 0o601]) {
    chmodSync(file, mode)
    t.throws(() => readTokenFile(file), { code: 'usage', message: /open to other users \(mode 06\d\d\): chmod 600/ })
  }
  chmodSync(file, 0o400)
  t.equal(readTokenFile(file).length, 1)
  chmodSync(file, 0o600)
  writeFileSync(file, '# nobody\n')
  t.throws(() => readTokenFile(file), { code: 'usage', message: /no token/ })
  t.throws(() => readTokenFile(tempDir(t)), { code: 'usage' })
})

t.test('watched files are read again when written, replaced or opened up, and kept when they cannot be', async t => {
  const file = join(tempDir(t), 'watched')
  writeFileSync(file, 'one', { mode: 0o600 })
  const told: string[] = []
  let reads = 0
  const read = (): string => {
    reads += 1
    return readTokenFile(file)[0]?.token ?? ''
  }
  const watched = new WatchedFiles([file], read, {
    onChange: value => told.push(value),
    onFault: message => told.push(message.replace(/.*(open to other users|ENOENT).*/, '$1')),
  })
  watched.refresh()
  t.equal(reads, 1, 'unchanged, it is not read')
  writeFileSync(file, 'two')
  watched.refresh()
  writeFileSync(`${file}.new`, 'thr', { mode: 0o600 })
  renameSync(`${file}.new`, file)
  watched.refresh()
  chmodSync(file, 0o644)
  watched.refresh()
  watched.refresh()
  t.equal(watched.value, 'thr')
  renameSync(file, `${file}.gone`)
  watched.refresh()
  t.equal(watched.value, 'thr')
  t.strictSame(told, ['two', 'thr', 'open to other users', 'ENOENT'])
})
