import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What an instance wrote down itself (role/server.mjs), with its wall clock. */
export interface InstanceNote {
  readonly what: 'began' | 'listens' | 'told' | 'executed' | 'aborted'
  readonly at: number
  readonly instance: string
  readonly deployment: string
  readonly version: string
  readonly pid: number
  readonly nonce?: string
  readonly path?: string
  readonly port?: number
}

/** All notes below a folder. */
export function readNotes(folder: string): InstanceNote[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap(name =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .filter(line => line.endsWith('}'))
      .map(line => JSON.parse(line) as InstanceNote),
  )
}
