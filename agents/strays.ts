import { readFileSync } from 'node:fs'
import { listPids } from '../src/core/process-identity.ts'

/** Requests of one turn and a little more are answered by one look at all processes (measured: 50 µs for each). */
const GATHER_MS = 5
/** So many times as long as the last look took pass before the next: with thousands of processes the agent has more to do. */
const REST = 4
/** A stop waits for it. */
const MOST_MS = 250

/**
 * Finds processes of an instance wherever they are: a session of their own (`setsid`) takes them out of their group, but not
 * `RoleRoot` out of the environment they were started with. Linux only, and only of users whose environment may be read.
 */
export class StrayScanner {
  #lookMs = 0
  #waiting: { readonly prefix: string; readonly done: (pids: number[]) => void }[] = []

  /** Live processes whose `RoleRoot` lies below an instance's folder. */
  async find(instanceFolder: string): Promise<number[]> {
    return new Promise(done => {
      if (this.#waiting.length === 0)
        setTimeout(() => this.#look(), Math.min(MOST_MS, Math.max(GATHER_MS, this.#lookMs * REST)))
      this.#waiting.push({ prefix: `${instanceFolder}/`, done })
    })
  }

  #look(): void {
    const waiting = this.#waiting
    this.#waiting = []
    const began = performance.now()
    const found = [...environments()]
    this.#lookMs = performance.now() - began
    for (const { prefix, done } of waiting)
      done(found.flatMap(({ pid, roleRoot }) => (roleRoot.startsWith(prefix) ? [pid] : [])))
  }
}

function* environments(): Generator<{ pid: number; roleRoot: string }> {
  for (const pid of listPids()) {
    if (pid === process.pid) continue
    let text: string
    try {
      // Empty for a zombie; not to be read for another user's, unless this is root.
      text = readFileSync(`/proc/${pid}/environ`, 'latin1')
    } catch {
      continue
    }
    const roleRoot = /(?:^|\0)RoleRoot=([^\0]*)/.exec(text)?.[1]
    if (roleRoot !== undefined) yield { pid, roleRoot: Buffer.from(roleRoot, 'latin1').toString('utf8') }
  }
}
