import { VipswapError } from '../core/errors.ts'
import { isSignedBy, readPublicKey, readSignature, type PublicKey } from '../core/minisign.ts'

/** More than anybody has signers: what is sent is bounded. */
const MAX_SIGNATURES = 16

/** A package as its signatures name it. */
export interface SignedPackage {
  readonly digest: string
  readonly name: string
  readonly version: string
  /** Texts of `.minisig` files, at most one of a key. */
  readonly signatures: readonly string[]
}

/** Whose signatures count. */
export interface TrustPolicy {
  /** Without a signature of one of the keys nothing is taken, and nothing run. */
  readonly required: boolean
  /** By the name a person knows it by: a minisign public key, `RW…`. */
  readonly keys: Readonly<Record<string, string>>
}

/** What is signed: these lines, and nothing else of the package, since the digest covers all of it. */
export function statementOf({ digest, name, version }: Omit<SignedPackage, 'signatures'>): string {
  return `vipswap package 1\nname: ${name}\nversion: ${version}\ndigest: sha256:${digest}\n`
}

/**
 * Names of the trusted keys that signed a package, sorted; a key that is not trusted counts for nothing. Where there is
 * none, throws `signature_invalid` if a signature claims a trusted key, or if one is required and all are of other keys,
 * and `signature_required` if one is required and there is none of any.
 */
export function judgeSignatures(signed: SignedPackage, { required, keys }: TrustPolicy): string[] {
  const verdicts = verdictsOn(signed, keys)
  const what = `package ${signed.name} ${signed.version} (${signed.digest.slice(0, 12)})`
  const signers = verdicts.flatMap(({ name, sound }) => (name !== null && sound ? [name] : []))
  if (signers.length > 0) return [...new Set(signers)]
  const wrong = verdicts.find(({ name }) => name !== null)
  if (wrong !== undefined) {
    throw new VipswapError(
      'signature_invalid',
      `the signature that claims key ${wrong.keyId} (${wrong.name ?? ''}) is not of ${what}: it is of something else, or was changed`,
    )
  }
  if (!required) return []
  if (verdicts.length === 0) {
    throw new VipswapError(
      'signature_required',
      `${what} is not signed, and packages.requireSignature asks for it; \`vipswap sign PACKAGE --key FILE\``,
    )
  }
  const ids = verdicts.map(({ keyId }) => keyId).join(', ')
  throw new VipswapError('signature_invalid', `${what} is signed by ${ids}, which packages.trustedKeys does not have`)
}

/** `added` beside those there are, one of a key. Throws `signature_invalid` for what is no signature. */
export function withSignature(signatures: readonly string[], added: string): string[] {
  const read = readSignature(added)
  if (read === null) {
    throw new VipswapError('signature_invalid', 'that is no signature; send the text of a .minisig file')
  }
  const others = signatures.filter(text => readSignature(text)?.keyId !== read.keyId)
  return [added, ...others].slice(0, MAX_SIGNATURES)
}

interface Verdict {
  readonly keyId: string
  /** Of the trusted key it claims; null: of none. */
  readonly name: string | null
  readonly sound: boolean
}

function verdictsOn(signed: SignedPackage, keys: TrustPolicy['keys']): Verdict[] {
  const statement = statementOf(signed)
  const trusted = Object.entries(keys).flatMap(([name, line]): { name: string; key: PublicKey }[] => {
    const key = readPublicKey(line)
    return key === null ? [] : [{ name, key }]
  })
  return signed.signatures
    .flatMap(text => readSignature(text) ?? [])
    .flatMap((signature): Verdict[] => {
      const mine = trusted.filter(({ key }) => key.id === signature.keyId)
      if (mine.length === 0) return [{ keyId: signature.keyId, name: null, sound: false }]
      // Ids are eight bytes that anybody may choose: of keys that share one, each is tried.
      const by = mine.find(({ key }) => isSignedBy(statement, signature, key))
      return [{ keyId: signature.keyId, name: (by ?? mine[0])?.name ?? null, sound: by !== undefined }]
    })
    .toSorted((a, b) => ((a.name ?? '') < (b.name ?? '') ? -1 : 1))
}
