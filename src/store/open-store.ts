import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { VipswapError } from '../core/errors.ts'
import { lockFile } from '../core/lock-file.ts'
import type { BackupOptions } from './backup.ts'
import { readCommitLog } from './commit-log.ts'
import { readFailure } from './failures.ts'
import { openLevelStore } from './level-store.ts'
import { behindSnapshots, recover } from './recover.ts'
import { recoveryFile, type Recovery } from './recovery.ts'
import { listBackups } from './snapshot-file.ts'
import type { Store } from './store.ts'

export interface OpenedStore {
  readonly store: Store
  /** It was put back from a snapshot, and nobody has taken note yet; `noted` ends that. */
  readonly recovery: Recovery | null
  readonly noted: () => void
}

export type OpenStoreOptions = Omit<BackupOptions, 'directory'> & {
  /** The database's folder. Beside it lie `<directory>.head` and `<directory>.snapshots`: move and restore the three together. */
  readonly directory: string
}

/**
 * Opens the journal with its snapshots. A damaged one is set aside and put back from the newest good snapshot and the
 * commits kept since; rejects with `store_damaged` where there is none (recover.ts), and as `openLevelStore` does.
 */
export async function openStore({ directory: given, ...every }: OpenStoreOptions): Promise<OpenedStore> {
  const directory = realName(given)
  const backups = `${directory}.snapshots`
  const note = recoveryFile(directory)
  const open = async (): Promise<Store> => {
    const reached = reachOf(directory, backups)
    // Where there was a fabric, a missing folder is a loss, never a new beginning.
    const initialise = reached === null
    const store = await openLevelStore({ directory, initialise, backup: { ...every, directory: backups } })
    if (reached === null || store.sequence >= reached) return store
    await store.close()
    throw behindSnapshots(directory, store.sequence, reached)
  }
  const opened = (store: Store): OpenedStore => ({ store, recovery: note.read(), noted: note.remove })
  try {
    return opened(await open())
  } catch (error) {
    if (!isRecoverable(error)) throw error
  }
  const release = await lockFile(`${directory}.recovering`, 'a recovery of this store')
  try {
    // Somebody quicker may have put it back.
    return opened(await open())
  } catch (error) {
    if (!isRecoverable(error)) throw error
    await recover({ directory, backups, error })
    return opened(await open())
  } finally {
    release()
  }
}

function isRecoverable(error: unknown): error is VipswapError {
  return error instanceof VipswapError && error.code === 'store_damaged' && error.details['recoverable'] === true
}

/** The newest commit in the snapshot folder; null where it holds nothing. */
function reachOf(directory: string, backups: string): number | null {
  const files = listBackups(backups)
  const last = files.findLast(({ kind }) => kind === 'commits')
  const base = files.at(-1)?.sequence
  if (base === undefined) return null
  try {
    return Math.max(base, last === undefined ? 0 : readCommitLog(last.path).seen)
  } catch (error) {
    throw readFailure(directory, error)
  }
}

function realName(directory: string): string {
  const path = resolve(directory)
  if (existsSync(path)) return realpathSync(path)
  return existsSync(dirname(path)) ? join(realpathSync(dirname(path)), basename(path)) : path
}
