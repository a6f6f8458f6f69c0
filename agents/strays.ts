import { readFileSync } from 'node:fs'
import { listPids } from '../src/core/process-identity.ts'

/** Requests of one turn and a little more are answered by one look at all processes. */
const GATHER_MS = 5

/**
 * Finds processes of an instance wherever they are: a session of their own (`setsid`) takes them out of their group, but not
 * `RoleRoot` out of the environment they were started with. Linux only, and only of users whose environment may be read.
 */
export class StrayScanner {
  #waiting: { readonly prefix: string; readonly done: (pids: number[]) => void }[] = []

  /** Live processes whose `RoleRoot` lies below an instance's folder. */
  async find(instanceFolder: string): Promise<number[]> {
    return new Promise(done => {
      if (this.#waiting.length === 0) setTimeout(() => this.#look(), GATHER_MS)
      this.#waiting.push({ prefix: `${instanceFolder}/`, done })
    })
  }

  #look(): void {
    const waiting = this.#waiting
    this.#waiting = []
    const found = [...environments()]
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
