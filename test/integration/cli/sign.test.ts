import { appendFileSync, chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readPackage } from '../../../src/packages/read-package.ts'
import { judgeSignatures } from '../../../src/packages/trust.ts'
import { readSignatureOf } from '../../../src/cli/signature-file.ts'
import { runCli } from '../../../src/cli/program.ts'
import { SERVICE } from '../../support/archives.ts'
import { tempDir } from '../../support/temp.ts'
import { fakeTerminal } from './fake-terminal.ts'

const run = async (...argv: string[]) => {
  const terminal = fakeTerminal()
  const code = await runCli(argv, terminal)
  return { code, stdout: terminal.stdout, stderr: terminal.stderr }
}

t.test('a package signed with a key of keygen is of that key, and of that content only', async t => {
  const folder = tempDir(t)
  const [key, shop] = [join(folder, 'k'), join(folder, 'shop')]
  mkdirSync(shop)
  writeFileSync(join(shop, 'service.yaml'), SERVICE)
  const made = await run('keygen', key, '--json')
  t.match(made, { code: 0 })
  t.equal(statSync(key).mode & 0o777, 0o600)
  const line = (JSON.parse(made.stdout) as { key: string }).key
  t.match(readFileSync(`${key}.pub`, 'utf8'), line)
  t.match(await run('keygen', key), { code: 2, stderr: /is there already/ })

  t.match(await run('sign', shop), { code: 2, stderr: /--key FILE/ })
  t.match(await run('sign', `${shop}/`, '--key', key, '--comment', 'by hand'), {
    code: 0,
    stdout: /shop\.minisig: sample 1\.0\.0/,
  })
  const text = readSignatureOf(shop) ?? ''
  t.match(text, /^trusted comment: by hand$/m)
  const judge = async (): Promise<string[]> => {
    const { digest, definition } = (await readPackage(shop)).release
    const signed = { digest, name: definition.name, version: definition.version, signatures: [text] }
    return judgeSignatures(signed, { required: true, keys: { us: line } })
  }
  t.strictSame(await judge(), ['us'])
  appendFileSync(join(shop, 'service.yaml'), '# changed\n')
  await t.rejects(judge(), { code: 'signature_invalid' })

  t.match(await run('sign', shop, '--key', key, '--comment', 'two\nlines'), { code: 2, stderr: /one line/ })
  chmodSync(key, 0o644)
  t.match(await run('sign', shop, '--key', key), { code: 2, stderr: /chmod 600/ })
  t.match(await run('sign', shop, '--key', `${key}.gone`), { code: 2, stderr: /cannot be read/ })
})

t.test('what is to be signed can be signed elsewhere', async t => {
  const shop = join(tempDir(t), 'shop')
  mkdirSync(shop)
  writeFileSync(join(shop, 'service.yaml'), SERVICE)
  const { stdout } = await run('sign', shop, '--statement')
  t.match(stdout, /^vipswap package 1\nname: sample\nversion: 1\.0\.0\ndigest: sha256:[0-9a-f]{64}\n$/)
})
