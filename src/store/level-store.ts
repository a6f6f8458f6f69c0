import { existsSync, mkdirSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { ClassicLevel } from 'classic-level'
import { syncDirectory } from '../core/atomic-file.ts'
import { VipswapError, errorMessage, systemCode } from '../core/errors.ts'
import { createId } from '../core/ids.ts'
import type { Change, Commit, Store } from './store.ts'
import { Backup, type BackupOptions } from './backup.ts'
import type { Operation } from './commit-log.ts'
import {
  Damage,
  NO_DIGEST,
  addToSum,
  decodeRecord,
  digestChanges,
  encodeCommit,
  encodeHead,
  encodeRecord,
  sealCommit,
} from './envelope.ts'
import type { CommitRecord, Head } from './envelope.ts'
import { headFile } from './head-file.ts'
import type { HeadFile } from './head-file.ts'
import { closeDatabase, openDatabase } from './database.ts'
import { damaged, readFailure } from './failures.ts'
import { HEAD_KEY, commitKey, headFileIsBehind, keyOfRecord, recordKey, verifyDatabase } from './verify.ts'
import type { Verified } from './verify.ts'

export interface LevelStoreOptions {
  /** The database's folder. The head file lies beside it: `<directory>.head`. Move and restore the two together. */
  readonly directory: string
  /** May an empty store be made where neither exists? Default true. */
  readonly initialise?: boolean
  /** How many commits stay in the chain; older ones are pruned. At least 1, default 1000. */
  readonly keepCommits?: number
  /** Snapshots and commits are kept there too; absent: nowhere. */
  readonly backup?: BackupOptions
}

/**
 * Opens the journal of one machine, verifying all of it (see README.md). Rejects with `store_damaged` where anything
 * is not as it was acknowledged, `store_locked` while another process has it open.
 */
export async function openLevelStore(options: LevelStoreOptions): Promise<Store> {
  const { initialise = true, keepCommits = 1000 } = options
  if (initialise) mkdirSync(dirname(resolve(options.directory)), { recursive: true })
  const directory = canonical(options.directory)
  const file = headFile(`${directory}.head`)
  if (initialise && !existsSync(directory) && file.read().state === 'missing') file.claim()
  const state = file.read().state
  const create = initialise && state === 'initialising'
  if (state !== 'initialising' && !existsSync(directory)) {
    const found = `the folder is missing${state === 'written' ? ', its head file is there' : ''}`
    throw damaged(directory, found, { recoverable: true })
  }
  // LevelDB leaves a lock and a log in whatever folder it is shown.
  if (state === 'missing' && !existsSync(join(directory, 'CURRENT')))
    throw damaged(directory, 'the folder holds no database, and the head file is missing', { recoverable: true })
  const db = await openDatabase(directory, create)
  try {
    if (create && (await isEmpty(db))) await writeGenesis(db, directory, file)
    const verified = await verifyDatabase(db)
    // Read again: only under the database's lock is it certain that nobody is writing it.
    const head = file.read()
    if (head.state === 'missing') throw new Damage('the head file is missing')
    const behind = head.state === 'initialising' ? verified.head.sequence === 0 : headFileIsBehind(head.text, verified)
    if (head.state === 'initialising' && !behind) {
      throw new Damage('the head file says that the store was never finished, but it holds commits')
    }
    if (behind) await file.write(verified.headText)
    const { fabricId, sequence } = verified.head
    const backup = options.backup === undefined ? null : new Backup(options.backup, db, fabricId, sequence)
    return new LevelStore({ directory, db, file, verified, backup, keepCommits: Math.max(1, keepCommits) })
  } catch (error) {
    await closeDatabase(directory, db)
    throw readFailure(directory, error)
  }
}

interface Parts {
  readonly directory: string
  readonly db: ClassicLevel
  readonly file: HeadFile
  readonly verified: Verified
  readonly backup: Backup | null
  readonly keepCommits: number
}

class LevelStore implements Store {
  readonly #directory: string
  readonly #db: ClassicLevel
  readonly #file: HeadFile
  readonly #backup: Backup | null
  readonly #keepCommits: number
  readonly #listeners = new Set<(commit: Commit) => void>()
  #head: Head
  #last: CommitRecord
  #queue: Promise<unknown> = Promise.resolve()
  #failure: VipswapError | undefined
  #closing: Promise<void> | undefined
  /** Of every live record, so that a commit need not read what it replaces. */
  readonly #checksums: Map<string, string>
  /** The head file and the backup of the newest commit on their way to the disk: the next commit waits, the caller does not. */
  #headWritten: Promise<unknown> = Promise.resolve()

  constructor({ directory, db, file, verified, backup, keepCommits }: Parts) {
    this.#directory = directory
    this.#db = db
    this.#file = file
    this.#backup = backup
    this.#head = verified.head
    this.#last = verified.last
    this.#checksums = verified.checksums
    this.#keepCommits = keepCommits
  }

  get sequence(): number {
    return this.#head.sequence
  }

  get fabricId(): string {
    return this.#head.fabricId
  }

  async get(key: string): Promise<unknown> {
    try {
      const text = await this.#db.get(recordKey(key))
      return text === undefined ? undefined : decodeRecord(key, text).value
    } catch (error) {
      throw readFailure(this.#directory, error)
    }
  }

  async *range(prefix: string): AsyncIterable<readonly [string, unknown]> {
    try {
      const start = recordKey(prefix)
      for await (const [stored, text] of this.#db.iterator({ gte: start })) {
        if (!stored.startsWith(start)) return
        const key = keyOfRecord(stored)
        yield [key, decodeRecord(key, text).value]
      }
    } catch (error) {
      throw readFailure(this.#directory, error)
    }
  }

  async transact(expected: number, changes: readonly Change[]): Promise<number> {
    if (this.#closing) throw new VipswapError('not_running', 'the store is closed')
    // Turned to text now: what the caller does to its values later is not part of this commit.
    const texts = new Map(changes.map(change => [checkedKey(change.key), valueText(change)]))
    const done = this.#queue.then(() => this.#commit(expected, changes, texts))
    this.#queue = done.catch(() => {})
    return done
  }

  watch(listener: (commit: Commit) => void): () => void {
    // Wrapped, so that the same function given twice is two listeners.
    const own = (commit: Commit): void => listener(commit)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  close(): Promise<void> {
    this.#closing ??= this.#queue
      .then(() => this.#headWritten)
      .then(() => this.#backup?.close())
      // Its failure was for the next commit to tell; the database is whole without it.
      .catch(() => {})
      .then(() => closeDatabase(this.#directory, this.#db))
    return this.#closing
  }

  async #commit(
    expected: number,
    changes: readonly Change[],
    texts: ReadonlyMap<string, string | undefined>,
  ): Promise<number> {
    if (this.#failure) throw this.#failure
    if (expected !== this.#head.sequence) {
      throw new VipswapError(
        'store_conflict',
        `the store is at commit ${this.#head.sequence}, not ${expected}: read again and decide again`,
        { expected, sequence: this.#head.sequence },
      )
    }
    try {
      await this.#write(texts)
    } catch (error) {
      // What reached the disk is unknown now, and after a failed flush a second one proves nothing.
      this.#failure = new VipswapError(
        errorMessage(error).includes('No space left') || systemCode(error) === 'ENOSPC'
          ? 'store_full'
          : 'store_damaged',
        `a write to the store in ${this.#directory} failed (${errorMessage(error)}): nothing more is accepted. ` +
          'Make room or mend the disk, then restart the controller; what was acknowledged is kept.',
        { directory: this.#directory },
        { cause: error },
      )
      throw this.#failure
    }
    const commit = { sequence: this.#head.sequence, changes }
    for (const listener of this.#listeners) {
      try {
        listener(commit)
      } catch (error) {
        // The commit stands whatever a listener does; its fault ends the process as any uncaught one.
        queueMicrotask(() => {
          throw error
        })
      }
    }
    return commit.sequence
  }

  async #write(texts: ReadonlyMap<string, string | undefined>): Promise<void> {
    const { fabricId, digest: previous } = this.#head
    const sequence = this.#head.sequence + 1
    const keys = [...texts.keys()]
    const removed = keys.flatMap(key => this.#checksums.get(key) ?? [])

    const operations: Operation[] = []
    const changes: [string, string | null][] = []
    const added: string[] = []
    for (const [key, value] of texts) {
      if (value === undefined) {
        operations.push({ type: 'del', key: recordKey(key) })
        changes.push([key, null])
        continue
      }
      const record = encodeRecord(key, sequence, previous, value)
      operations.push({ type: 'put', key: recordKey(key), value: record.text })
      changes.push([key, record.checksum])
      added.push(record.checksum)
    }
    const last = sealCommit({
      fabricId,
      sequence,
      previous,
      changes: digestChanges(changes),
      count: this.#last.count + added.length - removed.length,
      sum: addToSum(this.#last.sum, added, removed),
    })
    operations.push({ type: 'put', key: commitKey(sequence), value: encodeCommit(last) })
    // Two at a time, so that a chain that was allowed to be longer shrinks, and no commit pays for all of it.
    let { oldest } = this.#head
    for (let n = 0; n < 2 && sequence - oldest > this.#keepCommits; n += 1) {
      operations.push({ type: 'del', key: commitKey(oldest) })
      oldest += 1
    }
    const head = { fabricId, oldest, sequence, digest: last.digest }
    const headText = encodeHead(head)
    operations.push({ type: 'put', key: HEAD_KEY, value: headText })

    await this.#headWritten
    await this.#db.batch(operations, { sync: true })
    this.#head = head
    this.#last = last
    for (const [key, checksum] of changes) {
      if (checksum === null) this.#checksums.delete(key)
      else this.#checksums.set(key, checksum)
    }
    // Once the caller has gone on: he has what he waited for.
    this.#headWritten = setImmediate().then(() =>
      Promise.all([this.#file.write(headText), this.#backup?.commit({ sequence, operations })]),
    )
    this.#headWritten.catch(() => {})
  }
}

/** One name for one folder, through links too, though it may not exist yet. */
function canonical(directory: string): string {
  const path = resolve(directory)
  if (existsSync(path)) return realpathSync(path)
  return existsSync(dirname(path)) ? join(realpathSync(dirname(path)), basename(path)) : path
}

async function isEmpty(db: ClassicLevel): Promise<boolean> {
  return (await db.keys({ limit: 1 }).all()).length === 0
}

async function writeGenesis(db: ClassicLevel, directory: string, file: HeadFile): Promise<void> {
  const fabricId = createId('fabric')
  const start = { fabricId, sequence: 0, previous: NO_DIGEST, changes: digestChanges([]), count: 0, sum: NO_DIGEST }
  const genesis = sealCommit(start)
  const headText = encodeHead({ fabricId, oldest: 0, sequence: 0, digest: genesis.digest })
  syncDirectory(dirname(directory))
  await db.batch(
    [
      { type: 'put', key: commitKey(0), value: encodeCommit(genesis) },
      { type: 'put', key: HEAD_KEY, value: headText },
    ],
    { sync: true },
  )
  await file.write(headText)
}

function checkedKey(key: string): string {
  // A lone surrogate would be stored as another character, and two keys could meet in one.
  if (key !== '' && Buffer.from(key).toString() === key) return key
  throw new VipswapError('internal', `not a key: ${JSON.stringify(key)}`)
}

function valueText({ key, value }: Change): string | undefined {
  if (value === undefined) return undefined
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new VipswapError('internal', `the value of ${key} has no JSON form`)
  return text
}
