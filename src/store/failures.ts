import { VipswapError, errorMessage, systemCode } from '../core/errors.ts'
import { Damage } from './envelope.ts'

/** What a read that went wrong is to a caller: damage where something stored is not as it was written. */
export function readFailure(directory: string, error: unknown): unknown {
  if (error instanceof Damage) return damaged(directory, error.message, error, error.advice)
  const code = systemCode(error)
  if (code === 'LEVEL_DATABASE_NOT_OPEN')
    return new VipswapError('not_running', 'the store is closed', {}, { cause: error })
  if (code === 'LEVEL_CORRUPTION' || code === 'LEVEL_IO_ERROR') return damaged(directory, errorMessage(error), error)
  return error
}

/** `found` names the damage; `advice` replaces the usual one, to restore a backup. */
export function damaged(directory: string, found: string, cause?: unknown, advice?: string): VipswapError {
  const usual =
    `Restore ${directory} and ${directory}.head together from one backup; ` +
    'to begin with an empty fabric instead, move both away.'
  return new VipswapError(
    'store_damaged',
    `the store in ${directory} is not as it was written: ${found}. ${advice ?? usual}`,
    { directory, found },
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
