import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, type ProcessIdentity } from '../../src/core/process-identity.ts'

const AGENT = /^node-\d+\.json$/

/**
 * "Stop wanted" is a file, so that it holds even if whoever wanted it is gone. A proxy ends by it only then, and after
 * the agents of its machine: their drains need somebody who serves. Otherwise it is `vipswap up` that sends SIGTERM, last.
 */
export class StopFile {
  readonly #path: string
  readonly #pids: string
  readonly #parent = process.ppid

  /** `run` is where the file appears; `data` holds the pid files of `vipswap up`. */
  constructor(run: string, data: string) {
    this.#path = join(run, 'stop')
    this.#pids = join(data, 'run', 'pids')
  }

  /** Is there nobody left who would send the signal, and nobody left who needs this proxy? */
  get isMine(): boolean {
    return existsSync(this.#path) && this.#upIsGone() && !this.#agents().some(isAlive)
  }

  #upIsGone(): boolean {
    const up = this.#read('up.json')
    return up === null ? process.ppid !== this.#parent : !isAlive(up)
  }

  #agents(): ProcessIdentity[] {
    try {
      return readdirSync(this.#pids).flatMap(name => (AGENT.test(name) ? (this.#read(name) ?? []) : []))
    } catch {
      return []
    }
  }

  #read(name: string): ProcessIdentity | null {
    try {
      const value: unknown = JSON.parse(readFileSync(join(this.#pids, name), 'utf8'))
      // Written whole by `vipswap up`.
      return typeof value === 'object' && value !== null && 'pid' in value ? (value as ProcessIdentity) : null
    } catch {
      return null
    }
  }
}
