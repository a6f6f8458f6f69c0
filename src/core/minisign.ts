import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { VipswapError } from './errors.ts'

// Public keys and signatures as minisign writes them, so that its own tools make and check ours (jedisct1.github.io/minisign).
// A signature covers the BLAKE2b-512 of the message (algorithm `ED`); a second one covers it with the trusted comment.

/** DER of an Ed25519 SubjectPublicKeyInfo up to the 32 bytes of the key (RFC 8410). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')
const KEY_ID_BYTES = 8
/** DER of an Ed25519 private key up to its 32 bytes. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
/** Of a secret key without a password: algorithm, no derivation, checksum's algorithm; then salt and limits, all zero. */
const SECRET_HEAD = Buffer.concat([Buffer.from('Ed\0\0B2'), Buffer.alloc(32 + 8 + 8)])
const SECRET_BYTES = SECRET_HEAD.length + KEY_ID_BYTES + 64 + 32

export interface SecretKey {
  readonly idBytes: Buffer
  readonly key: KeyObject
}

export interface PublicKey {
  /** 16 hexadecimal digits; says which key a signature claims, proves nothing. */
  readonly id: string
  readonly key: KeyObject
}

export interface Signature {
  /** Of the key that made it, as it claims. */
  readonly keyId: string
  /** Believed only once the signature is verified. */
  readonly comment: string
  readonly signature: Buffer
  readonly overComment: Buffer
}

/** Reads the one line of a public key, `RW…`; null where it is none. */
export function readPublicKey(line: string): PublicKey | null {
  const bytes = fromBase64(line)
  if (bytes?.length !== 2 + KEY_ID_BYTES + 32 || bytes.toString('latin1', 0, 2) !== 'Ed') return null
  const spki = Buffer.concat([SPKI_HEAD, bytes.subarray(2 + KEY_ID_BYTES)])
  return { id: idOf(bytes), key: createPublicKey({ key: spki, format: 'der', type: 'spki' }) }
}

/** A new pair, as the texts of the two files: the secret one without a password, to be kept by its mode. */
export function createKeyPair(): {
  readonly publicLine: string
  readonly publicFile: string
  readonly secretFile: string
} {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const idBytes = randomBytes(KEY_ID_BYTES)
  const open = publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length)
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_HEAD.length)
  const publicLine = Buffer.concat([Buffer.from('Ed'), idBytes, open]).toString('base64')
  const secret = Buffer.concat([SECRET_HEAD, idBytes, seed, open, Buffer.alloc(32)]).toString('base64')
  return {
    publicLine,
    publicFile: `untrusted comment: minisign public key ${shownId(idBytes)}\n${publicLine}\n`,
    secretFile: `untrusted comment: minisign secret key ${shownId(idBytes)}\n${secret}\n`,
  }
}

/** Reads the file of a secret key that has no password. Throws `usage`, and never says what is in it. */
export function readSecretKey(text: string): SecretKey {
  const bytes = fromBase64(text.trimEnd().split(/\r?\n/).at(-1) ?? '')
  if (bytes?.length !== SECRET_BYTES || bytes.toString('latin1', 0, 2) !== 'Ed') {
    throw new VipswapError('usage', 'that is no minisign secret key; `vipswap keygen` makes one')
  }
  if (!bytes.subarray(0, 6).equals(SECRET_HEAD.subarray(0, 6))) {
    throw new VipswapError('usage', 'the key has a password: sign the output of `--statement` with minisign itself')
  }
  const idBytes = bytes.subarray(SECRET_HEAD.length, SECRET_HEAD.length + KEY_ID_BYTES)
  const seed = bytes.subarray(SECRET_HEAD.length + KEY_ID_BYTES).subarray(0, 32)
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' })
  return { idBytes, key }
}

/** Reads the four lines of a `.minisig` file; null where it is none. */
export function readSignature(text: string): Signature | null {
  const [untrusted = '', first = '', trusted = '', second = '', ...rest] = text.trimEnd().split(/\r?\n/)
  const comment = /^trusted comment: (.{0,8192})$/.exec(trusted)?.[1]
  if (!untrusted.startsWith('untrusted comment:') || comment === undefined || rest.length > 0) return null
  const [bytes, overComment] = [fromBase64(first), fromBase64(second)]
  if (bytes?.length !== 2 + KEY_ID_BYTES + 64 || bytes.toString('latin1', 0, 2) !== 'ED') return null
  if (overComment?.length !== 64) return null
  return { keyId: idOf(bytes), comment, signature: bytes.subarray(2 + KEY_ID_BYTES), overComment }
}

/** The text of a `.minisig` file. `comment` is one line, and covered. */
export function signMessage(message: string, { idBytes, key }: SecretKey, comment: string): string {
  const signature = sign(null, digestOf(message), key)
  const overComment = sign(null, Buffer.concat([signature, Buffer.from(comment)]), key)
  const first = Buffer.concat([Buffer.from('ED'), idBytes, signature])
  return [
    'untrusted comment: signature of a vipswap package',
    first.toString('base64'),
    `trusted comment: ${comment}`,
    overComment.toString('base64'),
    '',
  ].join('\n')
}

/** Did this key sign the message, and the comment with it? */
export function isSignedBy(
  message: string,
  { keyId, comment, signature, overComment }: Signature,
  by: PublicKey,
): boolean {
  return (
    keyId === by.id &&
    verify(null, digestOf(message), by.key, signature) &&
    verify(null, Buffer.concat([signature, Buffer.from(comment)]), by.key, overComment)
  )
}

function digestOf(message: string): Buffer {
  return createHash('blake2b512').update(message).digest()
}

function idOf(bytes: Buffer): string {
  return shownId(bytes.subarray(2, 2 + KEY_ID_BYTES))
}

/** minisign shows the eight bytes as a little-endian number. */
function shownId(bytes: Buffer): string {
  return Buffer.from(bytes).reverse().toString('hex').toUpperCase()
}

function fromBase64(line: string): Buffer | null {
  if (line.length > 400) return null
  const bytes = Buffer.from(line, 'base64')
  // What Node leaves out or makes up in reading would be another text for the same bytes.
  return bytes.toString('base64') === line ? bytes : null
}
