import { readFileSync } from 'node:fs'

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number
  /** Start time in clock ticks since boot; null where /proc is not there. */
  readonly start: string | null
}

export function identify(pid: number): ProcessIdentity {
  return { pid, start: startTime(pid)?.start ?? null }
}

/** Does exactly this process still run (a zombie does not)? */
export function isAlive({ pid, start }: ProcessIdentity): boolean {
  if (start === null) {
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  }
  const now = startTime(pid)
  return now !== null && now.start === start && now.state !== 'Z' && now.state !== 'X'
}

function startTime(pid: number): { start: string; state: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may contain anything; field 3 (state) follows it, field 22 is the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { start: fields[19] ?? '', state: fields[0] ?? '' }
  } catch {
    return null
  }
}
