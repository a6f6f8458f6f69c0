import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { SealKey, ensureSealKey, readSealKey } from '../../../src/core/seal-key.ts'
import { isSealed } from '../../../src/core/sealed-text.ts'
import { tempDir } from '../../support/temp.ts'

t.test('a sealed value opens under its name and key, and as nothing else', async t => {
  const key = new SealKey(Buffer.alloc(32, 1))
  for (const value of ['', 'hunter2', 'pässwörd\n', 'x'.repeat(100_000)]) {
    const sealed = key.seal('DB', value)
    t.ok(isSealed(sealed))
    t.equal(key.open('DB', sealed), value)
    t.equal(key.open('OTHER', sealed), null)
    t.equal(new SealKey(Buffer.alloc(32, 2)).open('DB', sealed), null)
  }
  const sealed = key.seal('DB', 'hunter2')
  t.notMatch(Buffer.from(sealed.split(':').at(-1) ?? '', 'base64url').toString('latin1'), 'hunter2')
  // Every single changed character is noticed.
  const from = sealed.lastIndexOf(':') + 1
  for (let at = from; at < sealed.length - 1; at++) {
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
    t.equal(key.open('DB', changed), null, `changed at ${at}`)
  }
  t.equal(key.open('DB', sealed.slice(0, from + 8)), null)
})

t.test('the same value is the same text, another value or name another', async t => {
  const key = new SealKey(Buffer.alloc(32, 1))
  t.equal(key.seal('DB', 'a'), key.seal('DB', 'a'))
  t.not(key.seal('DB', 'a'), key.seal('DB', 'b'))
  t.not(key.seal('DB', 'a'), key.seal('BD', 'a'))
})

t.test('a key file is made once, 0600, and refused where others may read it or it is no key', async t => {
  const folder = tempDir(t)
  const path = join(folder, 'secrets.key')
  t.equal(readSealKey(path), null)
  const sealed = ensureSealKey(path).seal('n', 'v')
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.strictSame(readdirSync(folder), ['secrets.key'], 'nothing half-made is left')
  const before = readFileSync(path, 'utf8')
  t.equal(ensureSealKey(path).open('n', sealed), 'v')
  t.equal(readFileSync(path, 'utf8'), before)
  chmodSync(path, 0o640)
  t.throws(() => readSealKey(path), { code: 'invalid_configuration', message: /chmod 600/ })
  writeFileSync(path, 'too short\n')
  chmodSync(path, 0o600)
  t.throws(() => ensureSealKey(path), { code: 'invalid_configuration', message: /holds no key/ })
})
