import { ClassicLevel } from 'classic-level'
import { chmodSync, mkdirSync } from 'node:fs'
import { errorMessage, systemCode } from '../core/errors.ts'
import { locked, unreadable } from './failures.ts'

/**
 * Folders open in this process. LevelDB refuses a second opening here too, but by closing another handle of its lock
 * file, and POSIX then drops the lock of the first: a third process would be let in.
 */
const openHere = new Set<string>()

/** Opens LevelDB in `directory`: `store_locked` while it is open anywhere, `store_damaged` where it does not open. */
export async function openDatabase(directory: string, createIfMissing: boolean): Promise<ClassicLevel> {
  if (openHere.has(directory)) throw locked(directory)
  openHere.add(directory)
  try {
    return await openUnguarded(directory, createIfMissing)
  } catch (error) {
    openHere.delete(directory)
    throw error
  }
}

export async function closeDatabase(directory: string, db: ClassicLevel): Promise<void> {
  await db.close()
  openHere.delete(directory)
}

async function openUnguarded(directory: string, createIfMissing: boolean): Promise<ClassicLevel> {
  // Its files are open to all by LevelDB's own mode, and private keys are in them.
  if (createIfMissing) mkdirSync(directory, { recursive: true, mode: 0o700 })
  const db = new ClassicLevel(directory, { createIfMissing })
  try {
    await db.open()
    chmodSync(directory, 0o700)
    return db
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    if (systemCode(cause) === 'LEVEL_LOCKED') {
      throw locked(directory, error)
    }
    throw unreadable(directory, `the database does not open (${errorMessage(cause)})`, error)
  }
}
