import { createHash } from 'node:crypto'
import { errorMessage } from '../core/errors.ts'

/** Version of everything below. A store written with a higher one is refused, never guessed at. */
export const SCHEMA = 1

/** What `previous` says where there is nothing before. */
export const NO_DIGEST = '0'.repeat(64)

/** Something stored is not what was written; the message says what, without the path. */
export class Damage extends Error {
  /** What to do, where it is not to restore a backup. */
  readonly advice: string | undefined

  constructor(message: string, advice?: string) {
    super(message)
    this.advice = advice
  }
}

/** One live key. `previous` is the digest of the commit before the one that wrote it. */
export interface StoredRecord {
  readonly sequence: number
  readonly previous: string
  readonly checksum: string
  readonly value: unknown
}

/** One link of the chain. `count` and `sum` describe all live records after this commit; `digest` covers the rest. */
export interface CommitRecord {
  readonly fabricId: string
  readonly sequence: number
  readonly previous: string
  readonly changes: string
  readonly count: number
  readonly sum: string
  readonly digest: string
}

/** The newest commit, kept in the database and, equal, in the head file. `oldest` is the first commit not pruned. */
export interface Head {
  readonly fabricId: string
  readonly oldest: number
  readonly sequence: number
  readonly digest: string
}

/** The text stored for a key, and its checksum. `value` is JSON text already, so that it is written as it was hashed. */
export function encodeRecord(
  key: string,
  sequence: number,
  previous: string,
  value: string,
): { text: string; checksum: string } {
  const checksum = sha256(['record', SCHEMA, sequence, previous, key], value)
  const text = `{"schema":${SCHEMA},"sequence":${sequence},"previous":"${previous}","checksum":"${checksum}","value":${value}}`
  return { text, checksum }
}

/** Reads a stored record back; throws `Damage` unless it is, byte for byte, what `encodeRecord` made for this key. */
export function decodeRecord(key: string, text: string): StoredRecord {
  const found = parse(`the record of ${key}`, text)
  const { sequence, previous, checksum, value } = found
  if (typeof sequence === 'number' && typeof previous === 'string' && typeof checksum === 'string') {
    if (encodeRecord(key, sequence, previous, JSON.stringify(value) ?? '').text === text) {
      return { sequence, previous, checksum, value }
    }
  }
  throw new Damage(`the record of ${key} does not match its checksum`)
}

/** Links a commit to the chain. */
export function sealCommit(commit: Omit<CommitRecord, 'digest'>): CommitRecord {
  const { fabricId, sequence, previous, changes, count, sum } = commit
  return { ...commit, digest: sha256(['commit', SCHEMA, fabricId, sequence, previous, changes, count, sum]) }
}

export function encodeCommit(commit: CommitRecord): string {
  const { fabricId, sequence, previous, changes, count, sum, digest } = commit
  return JSON.stringify({ schema: SCHEMA, fabricId, sequence, previous, changes, count, sum, digest })
}

/** Throws `Damage` unless the text is, byte for byte, a sealed commit. */
export function decodeCommit(what: string, text: string): CommitRecord {
  const { fabricId, sequence, previous, changes, count, sum } = parse(what, text)
  if (
    typeof fabricId === 'string' &&
    typeof sequence === 'number' &&
    typeof previous === 'string' &&
    typeof changes === 'string' &&
    typeof count === 'number' &&
    typeof sum === 'string'
  ) {
    const commit = sealCommit({ fabricId, sequence, previous, changes, count, sum })
    if (encodeCommit(commit) === text) return commit
  }
  throw new Damage(`${what} does not match its digest`)
}

export function encodeHead(head: Head): string {
  const { fabricId, oldest, sequence, digest } = head
  const checksum = sha256(['head', SCHEMA, fabricId, oldest, sequence, digest])
  return JSON.stringify({ schema: SCHEMA, fabricId, oldest, sequence, digest, checksum })
}

/** Throws `Damage` unless the text is, byte for byte, an encoded head. */
export function decodeHead(what: string, text: string): Head {
  const { fabricId, oldest, sequence, digest } = parse(what, text)
  if (
    typeof fabricId === 'string' &&
    typeof oldest === 'number' &&
    typeof sequence === 'number' &&
    typeof digest === 'string'
  ) {
    const head = { fabricId, oldest, sequence, digest }
    if (encodeHead(head) === text) return head
  }
  throw new Damage(`${what} does not match its checksum`)
}

/** Digest over the changes of one commit: key and record checksum, null for a deletion. */
export function digestChanges(changes: Iterable<readonly [key: string, checksum: string | null]>): string {
  return sha256([...changes])
}

/**
 * Sums record checksums modulo 2^256. Order does not matter, so one number follows a whole set through writes and
 * deletions, and no record can be lost, altered or come back without changing it.
 */
export function addToSum(sum: string, added: readonly string[], removed: readonly string[]): string {
  let total = BigInt(`0x${sum}`)
  for (const checksum of added) total += BigInt(`0x${checksum}`)
  for (const checksum of removed) total -= BigInt(`0x${checksum}`)
  return BigInt.asUintN(256, total).toString(16).padStart(64, '0')
}

function parse(what: string, text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Damage(`${what} is not readable (${errorMessage(error)})`)
  }
  if (typeof value !== 'object' || value === null) throw new Damage(`${what} is not a record`)
  const fields: Record<string, unknown> = { ...value }
  if (typeof fields['schema'] === 'number' && fields['schema'] > SCHEMA) {
    throw newerSchema(what, fields['schema'], SCHEMA)
  }
  return fields
}

/** What is whole, and not for this version to read: nothing older may take its place. */
export function newerSchema(what: string, found: number, known: number): Damage {
  return new Damage(
    `${what} was written by a newer vipswap (schema ${found}; this one reads up to ${known})`,
    'Start that newer vipswap on it; nothing was changed.',
  )
}

function sha256(fields: readonly unknown[], tail = ''): string {
  return createHash('sha256').update(JSON.stringify(fields)).update('\n').update(tail).digest('hex')
}
