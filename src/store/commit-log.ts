import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory } from '../core/atomic-file.ts'
import { newerSchema } from './envelope.ts'

/** Version of a line. */
const SCHEMA = 1
const DIGEST_LENGTH = 64

/** What one commit did to the database, as it was written there. */
export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string }

export interface LoggedCommit {
  readonly sequence: number
  readonly operations: readonly Operation[]
}

/** The commits after a snapshot, a line each, so that a snapshot leads up to the newest commit. */
export interface CommitLog {
  /** Durable once resolved; answers the bytes written. Not to be called again before that. */
  append(commit: LoggedCommit): Promise<number>
  close(): Promise<void>
}

/** Opens a log to append to; the file is made with the first commit. */
export function openCommitLog(path: string): CommitLog {
  let file: FileHandle | null = null
  return {
    async append({ sequence, operations }) {
      if (file === null) {
        file = await open(path, 'a', 0o600)
        syncDirectory(dirname(path))
      }
      const text = JSON.stringify({ schema: SCHEMA, sequence, operations })
      const line = `${digestOf(text)} ${text}\n`
      await file.appendFile(line)
      await file.datasync()
      return Buffer.byteLength(line)
    },
    async close() {
      await file?.close()
      file = null
    },
  }
}

/**
 * The commits of a log up to the first line that is not whole, and how far the lines after that reach. Throws `Damage`
 * where a newer version wrote it.
 */
export function readCommitLog(path: string): { commits: LoggedCommit[]; seen: number } {
  const commits: LoggedCommit[] = []
  let seen = 0
  let whole = true
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line === '') continue
    const commit = parse(line)
    if (commit === null) {
      whole = false
      continue
    }
    seen = Math.max(seen, commit.sequence)
    if (whole) commits.push(commit)
  }
  return { commits, seen }
}

function parse(line: string): LoggedCommit | null {
  const text = line.slice(DIGEST_LENGTH + 1)
  if (line.slice(0, DIGEST_LENGTH + 1) !== `${digestOf(text)} `) return null
  const { schema, sequence, operations } = JSON.parse(text) as LoggedCommit & { schema: number } // as `append` made it
  if (schema > SCHEMA) throw newerSchema('the log of commits', schema, SCHEMA)
  return { sequence, operations }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
