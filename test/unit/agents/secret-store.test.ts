import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { SecretStore } from '../../../agents/secret-store.ts'
import { tempDir } from '../../support/temp.ts'

t.test('secrets outlive the agent, sealed; what nobody needs any more is forgotten', async t => {
  const folder = tempDir(t)
  const files = { key: join(folder, 'secrets.key'), values: join(folder, 'secrets.sealed') }
  const store = new SecretStore(files)
  t.equal(store.load(), true)
  store.take({ one: 'hunter2', two: 'swordfish' }, new Set(['one', 'two']))
  t.equal(store.valueOf('one'), 'hunter2')
  t.equal(store.valueOf('toString'), null)
  t.notMatch(readFileSync(files.values, 'latin1'), /hunter2|swordfish/)
  t.equal(statSync(files.values).mode & 0o777, 0o600)
  t.equal(statSync(files.key).mode & 0o777, 0o600)

  const next = new SecretStore(files)
  t.equal(next.load(), true)
  t.equal(next.valueOf('two'), 'swordfish')
  // A controller whose key is gone opens nothing: what is needed and known stays known.
  next.take({ three: 'x' }, new Set(['two', 'three']))
  t.equal(next.valueOf('one'), null)
  t.equal(next.valueOf('two'), 'swordfish')

  writeFileSync(files.values, `${readFileSync(files.values, 'utf8').trim().slice(0, -4)}AAAA\n`)
  const damaged = new SecretStore(files)
  t.equal(damaged.load(), false)
  t.equal(damaged.valueOf('two'), null)
})
