import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PackageTrust, readTrustedKeys } from '../../../agents/package-trust.ts'
import { VipswapError } from '../../../src/core/errors.ts'
import { createKeyPair, readSecretKey, signMessage } from '../../../src/core/minisign.ts'
import { statementOf, type SignedPackage } from '../../../src/packages/trust.ts'
import { tempDir } from '../../support/temp.ts'

const SHOP = { digest: 'ab'.repeat(32), name: 'shop', version: '1.0.0' }
const [old, next] = [createKeyPair(), createKeyPair()]
const signedWith = (secretFile: string): string => signMessage(statementOf(SHOP), readSecretKey(secretFile), 'x')

t.test('an agent runs only what is signed by a key of now, with or without a controller', async t => {
  const directory = join(tempDir(t), 'signatures')
  let known: SignedPackage = { ...SHOP, signatures: [] }
  let away = false
  const fetch = async (): Promise<SignedPackage> => {
    if (away) throw new VipswapError('unreachable', 'the controller restarts')
    return known
  }
  const trust = new PackageTrust({ directory, ownKeys: null, fetch })
  await trust.check(SHOP.digest)
  t.pass('where nobody asks for signatures')
  trust.tell({ old: old.publicLine })
  await t.rejects(trust.check(SHOP.digest), { code: 'signature_required' })
  known = { ...SHOP, signatures: [signedWith(old.secretFile)] }
  await t.rejects(trust.check('cd'.repeat(32)), { code: 'signature_invalid' }, 'it is of another package')
  await trust.check(SHOP.digest)
  away = true
  await new PackageTrust({ directory, ownKeys: { old: old.publicLine }, fetch }).check(SHOP.digest)
  t.pass('known from before')
  trust.tell({ next: next.publicLine })
  await t.rejects(trust.check(SHOP.digest), { code: 'unreachable' }, 'it may have been signed anew')
  away = false
  await t.rejects(trust.check(SHOP.digest), { code: 'signature_invalid' }, 'the key was taken back')
  known = { ...SHOP, signatures: [signedWith(next.secretFile), signedWith(old.secretFile)] }
  await trust.check(SHOP.digest)
  trust.retain(new Set())
  away = true
  await t.rejects(trust.check(SHOP.digest), { code: 'unreachable' }, 'what is forgotten is asked again')
})

t.test('keys of its own go before what the controller says', async t => {
  const fetch = async (): Promise<SignedPackage> => ({ ...SHOP, signatures: [signedWith(next.secretFile)] })
  const file = join(tempDir(t), 'keys')
  writeFileSync(file, `# ours\n${old.publicFile}`)
  const trust = new PackageTrust({ directory: join(tempDir(t), 's'), ownKeys: readTrustedKeys(file), fetch })
  trust.tell({ next: next.publicLine })
  await t.rejects(trust.check(SHOP.digest), { code: 'signature_invalid' })
  trust.tell(null)
  await t.rejects(trust.check(SHOP.digest), { code: 'signature_invalid' })
  writeFileSync(file, '# none\n')
  t.throws(() => readTrustedKeys(file), { code: 'usage', message: /holds no public key/ })
  writeFileSync(file, 'RWnonsense\n')
  t.throws(() => readTrustedKeys(file), { code: 'usage', message: /is no minisign public key/ })
  t.throws(() => readTrustedKeys(`${file}.gone`), { code: 'usage', message: /cannot be read/ })
})
