import t from 'tap'
import { createKeyPair, readPublicKey, readSecretKey, readSignature, signMessage } from '../../../src/core/minisign.ts'
import { judgeSignatures, statementOf, withSignature } from '../../../src/packages/trust.ts'

const DIGEST = 'ab'.repeat(32)
const SHOP = { digest: DIGEST, name: 'shop', version: '1.0.0' }

// Made with minisign 0.11: `minisign -G -W`, then `minisign -S -m` on the statement of SHOP.
const MINISIGN_KEY = 'RWSdyqhBCZiy41Lv33+gu3NEzfrJ4pcaUWvmCLdQJzxRV+c92X25ZFZM'
const MINISIGN_SIGNATURE = `untrusted comment: signature from minisign secret key
RUSdyqhBCZiy42a/euhG7qqjUtnTaIok58dmM7/g5gaXq78+N0cjWNqmrRsNnTgFK1PXNhaLp5/a8Qt/cXDdR1SXZ4FKD1+m+gA=
trusted comment: made by minisign
+yrhxTIfPCpdUn+5wjw53tj8LH/sWyqPXx4i0ZJjY4Pna9Ybn1BYDkg4WUWOdtIziV+mxtI65FhFQRAkMdigCw==
`
const MINISIGN_SECRET = `untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAncqoQQmYsuPXJLQBUeU/l0pCSW/iXDQOJPHrN6LZTuTuDQJk94Y3LFLv33+gu3NEzfrJ4pcaUWvmCLdQJzxRV+c92X25ZFZMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
`

function signer(): { line: string; sign: (statement: string, comment?: string) => string } {
  const { publicLine, secretFile } = createKeyPair()
  const key = readSecretKey(secretFile)
  return { line: publicLine, sign: (statement, comment = 'x') => signMessage(statement, key, comment) }
}

const alice = signer()
const bob = signer()
const REQUIRED = { required: true, keys: { alice: alice.line, bob: bob.line } }

t.test('what minisign signed is taken, and its secret key signs for us', async t => {
  const keys = { ci: MINISIGN_KEY }
  t.strictSame(judgeSignatures({ ...SHOP, signatures: [MINISIGN_SIGNATURE] }, { required: true, keys }), ['ci'])
  t.equal(readSignature(MINISIGN_SIGNATURE)?.comment, 'made by minisign')
  const ours = signMessage(statementOf(SHOP), readSecretKey(MINISIGN_SECRET), 'ours')
  t.strictSame(judgeSignatures({ ...SHOP, signatures: [ours] }, { required: true, keys }), ['ci'])
})

t.test('a signature is of one package only: digest, name and version', async t => {
  const signatures = [alice.sign(statementOf(SHOP))]
  t.strictSame(judgeSignatures({ ...SHOP, signatures }, REQUIRED), ['alice'])
  for (const other of [{ digest: 'cd'.repeat(32) }, { name: 'shop2' }, { version: '1.0.1' }]) {
    for (const required of [true, false]) {
      t.throws(() => judgeSignatures({ ...SHOP, ...other, signatures }, { ...REQUIRED, required }), {
        code: 'signature_invalid',
        message: /claims key [0-9A-F]{16} \(alice\) is not of package/,
      })
    }
  }
})

t.test('without one of a trusted key nothing is taken where one is required', async t => {
  t.throws(() => judgeSignatures({ ...SHOP, signatures: [] }, REQUIRED), { code: 'signature_required' })
  t.strictSame(judgeSignatures({ ...SHOP, signatures: [] }, { ...REQUIRED, required: false }), [])
  const stranger = [signer().sign(statementOf(SHOP))]
  t.throws(() => judgeSignatures({ ...SHOP, signatures: stranger }, REQUIRED), {
    code: 'signature_invalid',
    message: /which packages.trustedKeys does not have/,
  })
  t.strictSame(judgeSignatures({ ...SHOP, signatures: stranger }, { ...REQUIRED, required: false }), [])
  // Somebody else's key under alice's id.
  const claimed = Buffer.from(alice.line, 'base64')
  const forged = Buffer.from(readOnly(stranger[0]), 'base64')
  claimed.copy(forged, 2, 2, 10)
  const text = (stranger[0] ?? '').replace(readOnly(stranger[0]), forged.toString('base64'))
  t.throws(() => judgeSignatures({ ...SHOP, signatures: [text] }, REQUIRED), { code: 'signature_invalid' })
})

function readOnly(text = ''): string {
  return text.split('\n')[1] ?? ''
}

t.test('keys rotate: several may sign, and one that is trusted is enough', async t => {
  const statement = statementOf(SHOP)
  const both = withSignature([alice.sign(statement)], bob.sign(statement))
  t.strictSame(judgeSignatures({ ...SHOP, signatures: both }, REQUIRED), ['alice', 'bob'])
  t.strictSame(judgeSignatures({ ...SHOP, signatures: both }, { required: true, keys: { bob: bob.line } }), ['bob'])
  t.equal(withSignature(both, bob.sign(statement, 'again')).length, 2, 'one of a key')
  t.equal(
    Array.from({ length: 30 }, () => signer().sign(statement)).reduce(withSignature, [] as string[]).length,
    16,
    'and no more than anybody needs',
  )
})

t.test('a signature whose comment was changed is none', async t => {
  const text = alice.sign(statementOf(SHOP), 'built from main').replace('built from main', 'built from evil')
  t.throws(() => judgeSignatures({ ...SHOP, signatures: [text] }, REQUIRED), { code: 'signature_invalid' })
})

t.test('what is no signature and no key is said to be none', async t => {
  const sound = alice.sign(statementOf(SHOP))
  const broken = [
    '',
    'x',
    sound.slice(10),
    `${sound}more\n`,
    sound.replace('trusted comment:', 'comment:'),
    '\0'.repeat(500),
  ]
  for (const text of broken) {
    t.equal(readSignature(text), null)
    t.throws(() => withSignature([], text), { code: 'signature_invalid' })
  }
  for (const line of ['', 'RWQ', alice.line.slice(1), `${alice.line}A`, 'x'.repeat(56)])
    t.equal(readPublicKey(line), null)
  t.throws(() => readSecretKey('x'), { code: 'usage' })
})
