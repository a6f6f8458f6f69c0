import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { VipswapError, systemCode } from './errors.ts'

/**
 * The text of a file that holds a secret. Throws `usage` where it cannot be read, or where other users could read or
 * change it: `what` it is begins the sentence.
 */
export function readPrivateFile(path: string, what: string): string {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    throw new VipswapError('usage', `${what} ${path} cannot be read (${systemCode(error) ?? 'unknown'})`)
  }
  try {
    // Of what was opened, not of what has the name a moment later.
    const { mode, uid } = fstatSync(file)
    const me = process.getuid?.()
    if (me !== undefined && uid !== me && uid !== 0)
      throw new VipswapError('usage', `${what} ${path} belongs to another user (uid ${uid}): give one of your own`)
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0')
      throw new VipswapError('usage', `${what} ${path} is open to other users (mode ${shown}): chmod 600 ${path}`)
    }
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof VipswapError) throw error
    throw new VipswapError('usage', `${what} ${path} cannot be read (${systemCode(error) ?? 'unknown'})`)
  } finally {
    closeSync(file)
  }
}
