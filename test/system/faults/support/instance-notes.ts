import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NotedLine } from '../../../checkers/lines.ts'
import type { ExecutedLine } from '../history/line.ts'
import { timeNow } from '../history/recorder.ts'

/** What an instance wrote down itself (role/server.mjs), with its wall clock. */
export interface InstanceNote {
  readonly what: 'began' | 'listens' | 'told' | 'executed' | 'aborted'
  readonly at: number
  readonly instance: string
  readonly deployment: string
  readonly version: string
  readonly pid: number
  /** Its keeper, which leads its process group: what the API shows as the instance's pid. */
  readonly group?: number
  readonly nonce?: string
  readonly path?: string
  readonly port?: number
  /** Requests that it was answering when it was told to stop. */
  readonly open?: number
}

/** All notes below a folder. */
export function readNotes(folder: string): InstanceNote[] {
  return [...eachNote(folder)]
}

function* eachNote(folder: string): Generator<InstanceNote> {
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder)) {
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
      if (line.endsWith('}')) yield JSON.parse(line) as InstanceNote
    }
  }
}

/** What instances noted, as lines of a recording, on the recorder's clock. */
export function* notedLines(folder: string): Generator<ExecutedLine | NotedLine> {
  const offset = timeNow() - Date.now()
  for (const { what, nonce, instance, deployment, version, pid, group = 0, open = 0, at: wall } of eachNote(folder)) {
    const at = wall + offset
    if (what === 'executed' && nonce !== undefined) yield { type: 'executed', at, nonce, instance, deployment, pid }
    else if (what === 'began' || what === 'listens' || what === 'told')
      yield { type: 'noted', at, what, instance, deployment, version, pid, group, open }
  }
}
