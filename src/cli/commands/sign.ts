import type { Command } from 'commander'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { VipswapError, errorMessage, systemCode } from '../../core/errors.ts'
import { createKeyPair, readSecretKey, signMessage } from '../../core/minisign.ts'
import { signatureFileOf } from '../signature-file.ts'
import { act, type VerbContext } from '../verb.ts'

interface SignFlags {
  readonly key?: string
  readonly comment?: string
  readonly statement?: boolean
}

/** `keygen`, `sign`. Neither asks the controller anything. */
export function signVerbs(program: Command, context: VerbContext): void {
  const keygen = program
    .command('keygen [file]')
    .description(
      'make a pair of keys to sign packages with: FILE (secret, default vipswap.key) and FILE.pub, as minisign writes them',
    )
  act(keygen, context, async (session, _flags, [file = 'vipswap.key']) => {
    const { publicLine, publicFile, secretFile } = createKeyPair()
    writeNew(file, secretFile, 0o600)
    writeNew(`${file}.pub`, publicFile, 0o644)
    const text = `${file} is the secret key: keep it where packages are signed, and nowhere else
${file}.pub is the public key; in vipswap.yaml:

packages:
  requireSignature: true
  trustedKeys:
    release: ${publicLine}`
    session.result('keys', { secret: file, public: `${file}.pub`, key: publicLine }, text)
  })

  const sign = program
    .command('sign <package>')
    .description('sign a package: writes PACKAGE.minisig, which deploy, upgrade and up send along')
    .option('--key <file>', 'the secret key (vipswap keygen, or minisign -G -W)')
    .option('--comment <text>', 'goes with the signature, and is covered by it')
    .option('--statement', 'print what is to be signed instead, for minisign or another tool')
  act<SignFlags>(sign, context, async (session, flags, [path = '']) => {
    const { readPackage } = await import('../../packages/read-package.ts')
    const { statementOf } = await import('../../packages/trust.ts')
    const { digest, definition } = (await readPackage(path)).release
    const { name, version } = definition
    const statement = statementOf({ digest, name, version })
    if (flags.statement === true) {
      session.result('statement', { name, version, digest, statement }, statement.trimEnd())
      return
    }
    if (flags.key === undefined) throw new VipswapError('usage', 'say with which key: --key FILE')
    const comment = flags.comment ?? `${name} ${version}`
    if (/[\r\n]/.test(comment) || comment.length > 1000)
      throw new VipswapError('usage', '--comment is one line of at most 1000 characters')
    const file = signatureFileOf(path)
    writeFileSync(file, signMessage(statement, readSecretKey(readSecret(flags.key)), comment))
    session.result('signature', { name, version, digest, file }, `${file}: ${name} ${version} (${digest.slice(0, 12)})`)
  })
}

/** A key that others may read is no secret: that is said before it is used. */
function readSecret(path: string): string {
  try {
    if ((statSync(path).mode & 0o077) !== 0)
      throw new VipswapError('usage', `${path} may be read by others; chmod 600 it`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof VipswapError) throw error
    throw new VipswapError('usage', `${path} cannot be read: ${errorMessage(error)}`)
  }
}

/** A key that is there already is never written over. */
function writeNew(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode })
  } catch (error) {
    const why = systemCode(error) === 'EEXIST' ? 'is there already; name another file' : errorMessage(error)
    throw new VipswapError('usage', `${path} ${why}`)
  }
}
