import type { ClassicLevel } from 'classic-level'
import { Damage, NO_DIGEST, addToSum, decodeCommit, decodeHead, decodeRecord } from './envelope.ts'
import type { CommitRecord, Head } from './envelope.ts'

export const HEAD_KEY = 'head'
const COMMIT_PREFIX = 'commit/'
const RECORD_PREFIX = 'record/'

export const recordKey = (key: string): string => RECORD_PREFIX + key
export const keyOfRecord = (stored: string): string => stored.slice(RECORD_PREFIX.length)
/** Padded, so that LevelDB's order is the order of the commits. */
export const commitKey = (sequence: number): string => COMMIT_PREFIX + String(sequence).padStart(16, '0')

/** What a verified database ends with. */
export interface Verified {
  readonly head: Head
  readonly headText: string
  readonly last: CommitRecord
  /** Of every live record, by its key. */
  readonly checksums: Map<string, string>
}

/**
 * Reads the whole database and throws `Damage` unless it is exactly what its last commit left: the commits kept are one
 * unbroken chain up to the head, every live record matches its checksum and the commit it names, and all of them
 * together the count and the sum in the last commit.
 */
export async function verifyDatabase(db: ClassicLevel): Promise<Verified> {
  const headText = await db.get(HEAD_KEY)
  if (headText === undefined) throw new Damage('the database has lost its head record')
  const head = decodeHead('the head record in the database', headText)

  const digests = new Map<number, string>()
  let last: CommitRecord | undefined
  let sum = NO_DIGEST
  const checksums = new Map<string, string>()
  for await (const [stored, text] of db.iterator()) {
    if (stored.startsWith(RECORD_PREFIX)) {
      const key = keyOfRecord(stored)
      const checksum = checkRecord(key, text, head, digests)
      checksums.set(key, checksum)
      sum = addToSum(sum, [checksum], [])
    } else if (stored.startsWith(COMMIT_PREFIX)) {
      last = nextCommit(stored, text, head, last)
      digests.set(last.sequence, last.digest)
    } else if (stored !== HEAD_KEY) {
      throw new Damage(`the database holds an unknown key ${JSON.stringify(stored)}`)
    }
  }
  if (last === undefined || last.sequence !== head.sequence) {
    throw new Damage(`the commits end at ${last?.sequence ?? 'none'}, the head is at ${head.sequence}`)
  }
  if (last.digest !== head.digest) throw new Damage(`commit ${last.sequence} is not the one the head names`)
  const count = checksums.size
  if (last.count !== count || last.sum !== sum) {
    throw new Damage(
      `the live records (${count}) are not those that commit ${last.sequence} left (${last.count}): some were lost, altered or came back`,
    )
  }
  return { head, headText, last, checksums }
}

/** Throws `Damage` unless the head file agrees. True when it is one commit behind, as a crash between the two leaves it. */
export function headFileIsBehind(text: string, { head, headText, last }: Verified): boolean {
  if (text === headText) return false
  const file = decodeHead('the head file', text)
  if (file.fabricId !== head.fabricId) throw new Damage('the head file belongs to another fabric')
  if (file.sequence > head.sequence) {
    throw new Damage(
      `the head file knows commit ${file.sequence}, the database ends at ${head.sequence}: acknowledged commits were lost`,
    )
  }
  if (file.sequence < head.sequence - 1) {
    throw new Damage(
      `the head file is at commit ${file.sequence}, the database at ${head.sequence}: they are not of one time`,
    )
  }
  const expected = file.sequence === head.sequence ? head.digest : last.previous
  if (file.digest !== expected || file.sequence === head.sequence) {
    throw new Damage(`the head file and the database differ in commit ${file.sequence}`)
  }
  return true
}

function nextCommit(stored: string, text: string, head: Head, before: CommitRecord | undefined): CommitRecord {
  const expected = before === undefined ? head.oldest : before.sequence + 1
  if (stored !== commitKey(expected)) {
    throw new Damage(`commit ${expected} is missing: ${stored.slice(COMMIT_PREFIX.length)} comes in its place`)
  }
  const commit = decodeCommit(`commit ${expected}`, text)
  const previous = before?.digest ?? (expected === 0 ? NO_DIGEST : commit.previous)
  if (commit.sequence !== expected || commit.previous !== previous || commit.fabricId !== head.fabricId) {
    throw new Damage(`commit ${expected} does not continue the one before it`)
  }
  return commit
}

function checkRecord(key: string, text: string, head: Head, digests: ReadonlyMap<number, string>): string {
  const record = decodeRecord(key, text)
  // Commits sort before records, so all that are kept are known here; older ones are vouched for by the sum alone.
  const previous = record.sequence > head.oldest ? digests.get(record.sequence - 1) : record.previous
  if (record.sequence > head.sequence || record.previous !== previous) {
    throw new Damage(`the record of ${key} names commit ${record.sequence}, which is not in the chain`)
  }
  return record.checksum
}
