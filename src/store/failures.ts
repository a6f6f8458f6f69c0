import { VipswapError, errorMessage, systemCode } from '../core/errors.ts'
import { Damage } from './envelope.ts'

/** I/O errors of LevelDB that say that something is gone; after any other what is there may be whole. */
const GONE = /No such file or directory|Not a directory/

/** What a read that went wrong is to a caller: damage where something stored is not as it was written. */
export function readFailure(directory: string, error: unknown): unknown {
  if (error instanceof Damage) {
    const { message, advice } = error
    return damaged(directory, message, { cause: error, recoverable: advice === undefined, ...(advice && { advice }) })
  }
  const code = systemCode(error)
  if (code === 'LEVEL_DATABASE_NOT_OPEN')
    return new VipswapError('not_running', 'the store is closed', {}, { cause: error })
  if (code === 'LEVEL_CORRUPTION' || code === 'LEVEL_IO_ERROR') return unreadable(directory, errorMessage(error), error)
  return error
}

/** LevelDB said `found`. */
export function unreadable(directory: string, found: string, cause: unknown): VipswapError {
  return damaged(directory, found, { cause, recoverable: !found.includes('IO error') || GONE.test(found) })
}

interface Circumstances {
  readonly cause?: unknown
  /** Replaces the usual one, to restore a backup. */
  readonly advice?: string
  /** May a snapshot take its place? Not where nothing is lost: no room, no permission, a later version. */
  readonly recoverable: boolean
}

/** `found` names the damage. */
export function damaged(directory: string, found: string, { cause, advice, recoverable }: Circumstances): VipswapError {
  const usual =
    `Restore ${directory}, ${directory}.head and ${directory}.snapshots together from one backup; ` +
    'to begin with an empty fabric instead, move all three away.'
  return new VipswapError(
    'store_damaged',
    `the store in ${directory} is not as it was written: ${found}. ${advice ?? usual}`,
    { directory, found, recoverable },
    { cause },
  )
}

export function locked(directory: string, cause?: unknown): VipswapError {
  return new VipswapError(
    'store_locked',
    `the store in ${directory} is in use by another process: stop that one, or give this one another data folder`,
    { directory },
    { cause },
  )
}
