import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { readBootId } from './clock.ts'
import { systemCode } from './errors.ts'

/** What the system says of one process. Linux is asked by /proc (files in memory, read at once), others by `ps`. */
export interface ProcessRow {
  readonly pid: number
  readonly parent: number
  readonly group: number
  /** When it started, in the system's own terms; only compared. */
  readonly startTime: string
  /** False once it is a zombie and no thread of it is left. */
  readonly alive: boolean
}

/** Tells a process from a later one that got the same pid. */
export interface ProcessIdentity {
  readonly pid: number
  readonly startTime: string
  readonly bootId: string
}

const LINUX = process.platform === 'linux'

/** The process with this pid, a zombie included; null if there is none. */
export function readProcess(pid: number): ProcessRow | null {
  if (!LINUX) return listWithPs(['-p', String(pid)])[0] ?? null
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return null
  }
}

/** Every process of this machine, zombies included. */
export function listProcesses(): ProcessRow[] {
  return LINUX ? listPids().flatMap(pid => readProcess(pid) ?? []) : listWithPs(['-ax'])
}

/** Linux only; elsewhere none. */
export function listPids(): number[] {
  if (!LINUX) return []
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

/** The identity of a live process, or null if there is none. */
export function identify(pid: number): ProcessIdentity | null {
  const row = readProcess(pid)
  return row?.alive === true ? { pid, startTime: row.startTime, bootId: readBootId() } : null
}

/** Does exactly this process still run? */
export function isAlive({ pid, startTime, bootId }: ProcessIdentity): boolean {
  return bootId === readBootId() && isAliveThisBoot(pid, startTime)
}

/** The same for a process that is known to be of this boot. */
export function isAliveThisBoot(pid: number, startTime: string): boolean {
  const row = readProcess(pid)
  return row?.alive === true && row.startTime === startTime
}

/** Sends a signal to exactly this process; false if it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false
  try {
    return process.kill(identity.pid, signal)
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false
    throw error
  }
}

/**
 * Reads /proc/<pid>/stat. proc(5): the second field is the name in parentheses and may hold anything, so fields count from its last `)`; state is
 * the 3rd, parent the 4th, group the 5th, threads the 20th, start the 22nd.
 */
export function parseStat(pid: number, text: string): ProcessRow {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  return {
    pid,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    startTime: fields[19] ?? '',
    // The leader is a zombie before its other threads have ended, and until then their sockets are open.
    alive: state !== 'X' && (state !== 'Z' || Number(fields[17]) > 1),
  }
}

function listWithPs(selection: readonly string[]): ProcessRow[] {
  let text: string
  try {
    text = execFileSync('ps', [...selection, '-o', 'pid=,ppid=,pgid=,stat=,lstart='], { encoding: 'utf8' })
  } catch {
    return []
  }
  return text.split('\n').flatMap(line => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line)
    if (match === null) return []
    const [, pid, parent, group, state = '', startTime = ''] = match
    return [
      { pid: Number(pid), parent: Number(parent), group: Number(group), startTime, alive: !state.startsWith('Z') },
    ]
  })
}
