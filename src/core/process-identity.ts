import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readBootId } from './clock.ts'
import { systemCode } from './errors.ts'

/** Tells a process from a later one that got the same pid. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in the system's own terms; only compared. */
  readonly startTime: string
  readonly bootId: string
}

/** The identity of a live process, or null if there is none (a zombie is none). */
export function identify(pid: number): ProcessIdentity | null {
  const startTime = startTimeOf(pid)
  return startTime === null ? null : { pid, startTime, bootId: readBootId() }
}

/** Does exactly this process still run? */
export function isAlive(identity: ProcessIdentity): boolean {
  return identity.bootId === readBootId() && startTimeOf(identity.pid) === identity.startTime
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

function startTimeOf(pid: number): string | null {
  if (process.platform !== 'linux') return startTimeFromPs(pid)
  try {
    // proc(5): the second field is the command in parentheses and may hold anything; state is the 3rd, threads the 20th, start the 22nd.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // The leader is a zombie before its other threads have ended, and until then their sockets are open.
    const gone = fields[0] === 'X' || (fields[0] === 'Z' && Number(fields[17]) <= 1)
    return gone ? null : (fields[19] ?? null)
  } catch {
    return null
  }
}

function startTimeFromPs(pid: number): string | null {
  try {
    const [state = '', ...start] = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/)
    return state.startsWith('Z') || start.length === 0 ? null : start.join(' ')
  } catch {
    return null
  }
}
