import { VipswapError, errorMessage, systemCode } from '../core/errors.ts'

/** Codes that speak of this machine, not of the archive. */
const OURS: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE', 'EACCES', 'EPERM'])

/** What is thrown while an archive is read: the archive's fault, unless it is known to be another's. */
export function damaged(error: unknown): unknown {
  if (error instanceof VipswapError || OURS.has(systemCode(error) ?? '')) return error
  return new VipswapError('invalid_package', `the archive cannot be read: ${errorMessage(error)}`, {}, { cause: error })
}
