import { createHash, randomBytes, type X509Certificate } from 'node:crypto'
import { VipswapError } from '../errors.ts'

/**
 * What a newcomer is given: by the digest it knows the controller's authority, by the secret it is known itself. Written as
 * `vj1.DIGEST.SECRET`, both base64url of 32 bytes.
 */
export interface JoinToken {
  readonly authorityDigest: string
  readonly secret: string
}

const SHAPE = /^vj1\.([\w-]{43})\.([\w-]{43})$/

export function makeJoinToken(authority: X509Certificate): JoinToken {
  return { authorityDigest: digestOfCertificate(authority), secret: randomBytes(32).toString('base64url') }
}

export function formatJoinToken({ authorityDigest, secret }: JoinToken): string {
  return `vj1.${authorityDigest}.${secret}`
}

/** Throws `usage`, without saying what the text was. */
export function parseJoinToken(text: string): JoinToken {
  const [, authorityDigest, secret] = SHAPE.exec(text.trim()) ?? []
  if (authorityDigest === undefined || secret === undefined)
    throw new VipswapError('usage', 'this is no join token; "vipswap member token agent" makes one')
  return { authorityDigest, secret }
}

/** What is kept of a secret. */
export function digestOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}

export function digestOfCertificate({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('base64url')
}

/** What a newcomer signs with its new key, so that nobody is given a certificate for a key that is not his. */
export function joinProof(secret: string, kind: string, name: string): Buffer {
  return Buffer.from(`vipswap join 1\n${digestOfSecret(secret)}\n${kind}\n${name}`)
}
