import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../src/core/atomic-file.ts'
import { identify } from '../../src/core/process-identity.ts'
import { ownVersion } from '../../src/core/version.ts'

/** By which `vipswap up` knows its proxy's process; there is none where something else starts the proxy. */
export class PidFile {
  readonly #path: string

  constructor(data: string, name: string) {
    this.#path = join(data, 'run', 'pids', `${name}.json`)
  }

  /** This process takes the place of the one with that pid; nothing happens where the file names another. */
  takeFrom(pid: number): void {
    try {
      const record: unknown = JSON.parse(readFileSync(this.#path, 'utf8'))
      const own = identify(process.pid)
      if (typeof record !== 'object' || record === null || !('pid' in record) || record.pid !== pid || own === null)
        return
      const args = process.argv.slice(2).filter(arg => arg !== '--successor')
      const taken = { ...record, ...own, args, version: ownVersion(), script: process.argv[1] }
      writeFileAtomic(this.#path, `${JSON.stringify(taken)}\n`, { durable: false })
    } catch {
      // None, or none that can be read: nobody knows this proxy by it.
    }
  }
}
