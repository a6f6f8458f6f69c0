import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Reads text files by their path relative to `file`; null for what cannot be read. */
export function beside(file: string): (path: string) => string | null {
  return path => {
    try {
      return readFileSync(resolve(dirname(file), path), 'utf8')
    } catch {
      return null
    }
  }
}
