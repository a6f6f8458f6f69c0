import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { readBootId } from '../../core/clock.ts'
import { systemCode } from '../../core/errors.ts'
import { identify, listProcesses, readProcess, type ProcessIdentity } from '../../core/process-identity.ts'

/** From SIGTERM to SIGKILL. */
const KILL_MS = 2000
const POLL_MS = 20

/**
 * The processes of command hooks, a file each in a folder, so that a controller that takes over finds what one that was
 * killed left running: a hook that is begun again must not run beside itself.
 */
export class HookProcesses {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Notes the leader of a new group; the answer, called once the group is gone, forgets it. */
  readonly began = (pid: number): (() => void) => {
    const identity = identify(pid)
    const path = join(this.#directory, `${pid}.json`)
    // Not synced: after a power cut there is no process left that it could name.
    if (identity !== null) writeFileAtomic(path, JSON.stringify(identity), { durable: false })
    return () => rmSync(path, { force: true })
  }

  /** Ends every group that an earlier controller left. Answers their leaders' pids. */
  async endLeft(): Promise<number[]> {
    const left = this.#noted().filter(({ identity }) => identity !== null && isThere(identity))
    await Promise.all(left.map(({ pid }) => endGroup(pid)))
    for (const { path } of this.#noted()) rmSync(path, { force: true })
    return left.map(({ pid }) => pid)
  }

  #noted(): { path: string; pid: number; identity: ProcessIdentity | null }[] {
    let names: string[]
    try {
      names = readdirSync(this.#directory)
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return []
      throw error
    }
    return names.map(name => {
      const path = join(this.#directory, name)
      return { path, pid: Number.parseInt(name, 10), identity: parse(path) }
    })
  }
}

function parse(path: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity // written whole by `began`
  } catch {
    return null
  }
}

/** Its leader, or, since no pid comes again while a group has that number, what its leader left. */
function isThere({ pid, startTime, bootId }: ProcessIdentity): boolean {
  if (bootId !== readBootId()) return false
  const leader = readProcess(pid)
  return leader === null ? hasMembers(pid) : leader.startTime === startTime && hasMembers(pid)
}

function hasMembers(group: number): boolean {
  return signalGroup(group, 0) && listProcesses().some(row => row.group === group && row.alive)
}

async function endGroup(group: number): Promise<void> {
  signalGroup(group, 'SIGTERM')
  const killAt = performance.now() + KILL_MS
  while (hasMembers(group)) {
    if (performance.now() >= killAt) signalGroup(group, 'SIGKILL')
    await delay(POLL_MS)
  }
}

/** False where the group is gone. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal)
  } catch {
    return false
  }
}
