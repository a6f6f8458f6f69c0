import { dirname, join } from 'node:path'
import { AuditFile, type AuditFileOptions } from './audit-file.ts'
import type { AuditRecord } from './audit-record.ts'

/** Beside the file of what callers did. */
const REFUSED = 'refused.log'
/** Who is told one of these was not let in. An instance's own 403 has no code of ours. */
const NOT_LET_IN: ReadonlySet<string | null> = new Set(['unauthorized', 'forbidden', 'too_many_attempts'])

/**
 * The records of a controller: what callers did in one file, and who was not let in in another, `refused.log`. Files are
 * bounded, and who may do nothing may still ask as often as he likes: his records push out none but such.
 */
export class AuditLog {
  readonly #callers: AuditFile
  readonly #refused: AuditFile

  constructor(options: AuditFileOptions) {
    this.#callers = new AuditFile(options)
    this.#refused = new AuditFile({ ...options, path: join(dirname(options.path), REFUSED) })
  }

  write(record: AuditRecord): void {
    const file = NOT_LET_IN.has(record.code) ? this.#refused : this.#callers
    file.write(record)
  }

  close(): void {
    this.#callers.close()
    this.#refused.close()
  }
}
