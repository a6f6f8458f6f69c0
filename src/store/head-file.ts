import { linkSync, readFileSync, rmSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory, writeFileAtomic } from '../core/atomic-file.ts'
import { systemCode } from '../core/errors.ts'

/** What the head file holds from before the database exists until its first head is written. */
const INITIALISING = '{"initialising":true}'

/** The second copy of the head, outside the database folder, so that the loss of either is noticed by the other. */
export interface HeadFile {
  readonly path: string
  /** `missing`, `initialising`, or the text of the last head written. */
  read(): { state: 'missing' } | { state: 'initialising' } | { state: 'written'; text: string }
  /** Marks a first initialisation, durably. False when somebody else was first. */
  claim(): boolean
  /** Replaces the head whole; durable (file and name) once resolved. */
  write(text: string): Promise<void>
}

export function headFile(path: string): HeadFile {
  return {
    path,
    read() {
      let text: string
      try {
        text = readFileSync(path, 'utf8')
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return { state: 'missing' }
        throw error
      }
      return text === INITIALISING ? { state: 'initialising' } : { state: 'written', text }
    },
    claim() {
      // A link fails where the name exists and appears with its content: exclusive and whole at once.
      const temporary = `${path}.${process.pid}.claim`
      writeFileAtomic(temporary, INITIALISING)
      try {
        linkSync(temporary, path)
        syncDirectory(dirname(path))
        return true
      } catch (error) {
        if (systemCode(error) === 'EEXIST') return false
        throw error
      } finally {
        rmSync(temporary, { force: true })
      }
    },
    async write(text) {
      // Not core's writeFileAtomic: three flushes per commit must not stop the event loop.
      const temporary = `${path}.tmp`
      const file = await open(temporary, 'w', 0o600)
      try {
        await file.writeFile(text)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
      const directory = await open(dirname(path), 'r')
      try {
        await directory.sync()
      } finally {
        await directory.close()
      }
    },
  }
}
