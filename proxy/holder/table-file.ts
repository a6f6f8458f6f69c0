import { readFileSync } from 'node:fs'
import { writeFileAtomic } from '../../src/core/atomic-file.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'

/** The newest table on disk: what a proxy serves with when no controller is there. */
export class TableFile {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /** The table, or null if there is none that can be read. */
  read(): RoutingTable | null {
    try {
      const value: unknown = JSON.parse(readFileSync(this.path, 'utf8'))
      return isTable(value) ? value : null
    } catch {
      return null
    }
  }

  /**
   * Replaces it by rename, without fsync: it has to outlive processes. After a power cut the instances are gone with it,
   * and a torn file counts as none. Private keys are in it: nobody else reads it.
   */
  write(table: RoutingTable): void {
    writeFileAtomic(this.path, JSON.stringify(table), { durable: false, mode: 0o600 })
  }
}

function isTable(value: unknown): value is RoutingTable {
  return (
    typeof value === 'object' &&
    value !== null &&
    'fabric' in value &&
    'revision' in value &&
    'listeners' in value &&
    Array.isArray(value.listeners) &&
    'pools' in value &&
    'limits' in value
  )
}
