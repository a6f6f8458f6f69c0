import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { linkSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncDirectory, writeFileAtomic } from './atomic-file.ts'
import { VipswapError, errorMessage, systemCode } from './errors.ts'
import { SEALED_PREFIX } from './sealed-text.ts'

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Seals secret values with AES-256-GCM. The nonce is made of the name and the value (as in SIV modes), so that the same
 * value is the same text: applying a configuration again changes nothing, at the price that equal values show as equal.
 */
export class SealKey {
  /** Names the key in what it sealed; tells nothing of it. */
  readonly id: string
  readonly #encrypt: Buffer
  readonly #nonce: Buffer

  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) throw new VipswapError('internal', `a seal key has ${KEY_BYTES} bytes`)
    const derived = (use: string): Buffer => Buffer.from(hkdfSync('sha256', key, '', `vipswap seal ${use}`, KEY_BYTES))
    this.#encrypt = derived('encrypt')
    this.#nonce = derived('nonce')
    this.id = createHash('sha256').update(derived('id')).digest('hex').slice(0, 8)
  }

  seal(name: string, value: string): string {
    const nonce = createHmac('sha256', this.#nonce)
      .update(JSON.stringify([name, value]))
      .digest()
    const cipher = createCipheriv('aes-256-gcm', this.#encrypt, nonce.subarray(0, NONCE_BYTES))
    cipher.setAAD(Buffer.from(name))
    const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
    const whole = Buffer.concat([nonce.subarray(0, NONCE_BYTES), cipher.getAuthTag(), body])
    return `${SEALED_PREFIX}${this.id}:${whole.toString('base64url')}`
  }

  /** The value, or null: sealed by another key, under another name, or damaged. */
  open(name: string, sealed: string): string | null {
    const prefix = `${SEALED_PREFIX}${this.id}:`
    if (!sealed.startsWith(prefix)) return null
    const whole = Buffer.from(sealed.slice(prefix.length), 'base64url')
    if (whole.length < NONCE_BYTES + TAG_BYTES) return null
    const decipher = createDecipheriv('aes-256-gcm', this.#encrypt, whole.subarray(0, NONCE_BYTES))
    decipher.setAAD(Buffer.from(name))
    decipher.setAuthTag(whole.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    try {
      const body = whole.subarray(NONCE_BYTES + TAG_BYTES)
      return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
    } catch {
      return null
    }
  }
}

/** The key in a file; null where there is none. Throws `invalid_configuration` for a file that others may read, or that is no key. */
export function readSealKey(path: string): SealKey | null {
  let text: string
  try {
    if ((statSync(path).mode & 0o077) !== 0) {
      throw new VipswapError('invalid_configuration', `${path} may be read by others; chmod 600 it`)
    }
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    if (error instanceof VipswapError) throw error
    throw new VipswapError('invalid_configuration', `${path} cannot be read: ${errorMessage(error)}`)
  }
  const key = Buffer.from(text.trim(), 'base64url')
  if (key.length === KEY_BYTES) return new SealKey(key)
  throw new VipswapError('invalid_configuration', `${path} holds no key of ${KEY_BYTES} bytes in base64url`)
}

/** The key in a file, made (mode 0600, durable) where there is none. Of two that make it at once, one wins. */
export function ensureSealKey(path: string): SealKey {
  const known = readSealKey(path)
  if (known !== null) return known
  const fresh = `${path}.${randomBytes(6).toString('hex')}`
  writeFileAtomic(fresh, `${randomBytes(KEY_BYTES).toString('base64url')}\n`)
  try {
    // Unlike a rename this fails where a file is there already.
    linkSync(fresh, path)
    syncDirectory(dirname(path))
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  } finally {
    rmSync(fresh, { force: true })
  }
  return ensureSealKey(path)
}
