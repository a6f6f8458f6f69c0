import { readFileSync } from 'node:fs'
import { listPids, listProcesses } from '../src/core/process-identity.ts'
import { KEEPER_NAME } from './keeper.ts'

export interface Keeper {
  readonly pid: number
  readonly token: string
  readonly exitFile: string
}

/** Members of a process group that run; zombies do not. */
export function groupMembers(group: number): number[] {
  // Signal 0 is one system call and settles the usual case: no member of any kind.
  if (!signalGroup(group, 0)) return []
  return listProcesses()
    .filter(row => row.group === group && row.alive)
    .map(row => row.pid)
}

/** Sends a signal to a whole group; false if it is gone. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal)
  } catch {
    return false
  }
}

/** Every keeper on this machine whose exit file lies below `directory`. Linux only; elsewhere none. */
export function findKeepers(directory: string): Keeper[] {
  const found: Keeper[] = []
  for (const { pid, words } of commandLines()) {
    const at = words.indexOf(KEEPER_NAME)
    const token = words[at + 1]
    const exitFile = words[at + 2]
    if (at < 0 || token === undefined || exitFile === undefined || !exitFile.startsWith(`${directory}/`)) continue
    found.push({ pid, token, exitFile })
  }
  return found
}

function* commandLines(): Generator<{ pid: number; words: string[] }> {
  for (const pid of listPids()) {
    try {
      yield { pid, words: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') }
    } catch {
      // Gone meanwhile.
    }
  }
}
