import { VipswapError } from '../core/errors.ts'

const MAX_KEY = 255
/** A string of structured fields (RFC 9651 section 3.3.3). */
const QUOTED = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/

/**
 * The key of `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a string in quotes; the same without quotes is
 * taken, too, and means the same. Throws `invalid_request`.
 */
export function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  const text = typeof header === 'string' ? header.trim() : ''
  const key = QUOTED.exec(text)?.[1]?.replace(/\\(.)/g, '$1') ?? text
  if (key !== '' && key.length <= MAX_KEY) return key
  throw new VipswapError('invalid_request', `Idempotency-Key must be one value of 1 to ${MAX_KEY} characters`)
}
