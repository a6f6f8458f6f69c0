import { mkdirSync, rmSync } from 'node:fs'
import type { ClassicLevel } from 'classic-level'
import { errorMessage } from '../core/errors.ts'
import { openCommitLog, type CommitLog, type LoggedCommit } from './commit-log.ts'
import { backupPath, listBackups, writeSnapshot } from './snapshot-file.ts'

export interface BackupOptions {
  /** Where the snapshots lie. */
  readonly directory: string
  /** A new one after so many commits; default 1000. */
  readonly everyCommits?: number
  /** Or, at the next commit, after so long; default 10 minutes. */
  readonly everyMs?: number
  /** How many are kept, with the commits since the oldest; default 3. */
  readonly keep?: number
  /** Told when one could not be written: those before it stay, and it is tried again. */
  readonly onTrouble?: (message: string) => void
}

/** So much of a log, and it is time for a snapshot: reading it back must not take long. */
const MAX_LOG_BYTES = 32 * 1024 * 1024

/**
 * A second keeping of the database, apart from it: snapshots of all of it, and every commit since, in files that need no
 * LevelDB to be read. A commit is acknowledged before it is here (level-store.ts), and the next waits until it is.
 */
export class Backup {
  readonly #options: BackupOptions
  readonly #db: ClassicLevel
  readonly #fabricId: string
  #log: CommitLog | null = null
  /** The newest snapshot, begun or written, is of this commit. */
  #base: number
  #sequence: number
  #logBytes = 0
  #takenAt = performance.now()
  #taking: Promise<void> | null = null

  /** `sequence`: where the database is. Begins a snapshot unless the newest is of that commit. */
  constructor(options: BackupOptions, db: ClassicLevel, fabricId: string, sequence: number) {
    this.#options = options
    this.#db = db
    this.#fabricId = fabricId
    this.#sequence = sequence
    mkdirSync(options.directory, { recursive: true, mode: 0o700 })
    const newest = listBackups(options.directory).findLast(({ kind }) => kind === 'snapshot')
    this.#base = newest?.sequence ?? -1
    if (this.#base !== sequence) this.#take()
  }

  /** Resolves once the commit is durable here too. The database stands at it, and stays there until then. */
  async commit(commit: LoggedCommit): Promise<void> {
    this.#log ??= openCommitLog(backupPath(this.#options.directory, 'commits', this.#base))
    this.#logBytes += await this.#log.append(commit)
    this.#sequence = commit.sequence
    if (!this.#isDue || this.#taking !== null) return
    await this.#log.close()
    this.#log = null
    this.#take()
  }

  /** Takes a last snapshot if there were commits since the newest, and waits for it. */
  async close(): Promise<void> {
    await this.#log?.close()
    this.#log = null
    await this.#taking
    if (this.#sequence !== this.#base) this.#take()
    await this.#taking
  }

  get #isDue(): boolean {
    const { everyCommits = 1000, everyMs = 600_000 } = this.#options
    return (
      this.#sequence - this.#base >= everyCommits ||
      this.#logBytes >= MAX_LOG_BYTES ||
      performance.now() - this.#takenAt >= everyMs
    )
  }

  #take(): void {
    const { directory, onTrouble } = this.#options
    const header = { fabricId: this.#fabricId, sequence: this.#sequence, takenAt: Date.now() }
    this.#base = this.#sequence
    this.#logBytes = 0
    this.#takenAt = performance.now()
    this.#taking = writeSnapshot(backupPath(directory, 'snapshot', this.#base), header, this.#db)
      .then(() => this.#prune())
      // The commits go on being kept beside the older ones, which lead up to now as well.
      .catch((error: unknown) => onTrouble?.(errorMessage(error)))
      .finally(() => {
        this.#taking = null
      })
  }

  #prune(): void {
    const { directory, keep = 3 } = this.#options
    const files = listBackups(directory)
    const oldest = files.filter(({ kind }) => kind === 'snapshot').at(-keep)
    if (oldest === undefined) return
    for (const { path, sequence } of files) if (sequence < oldest.sequence) rmSync(path, { force: true })
  }
}
