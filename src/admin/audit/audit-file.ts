import { chmodSync, closeSync, fstatSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorMessage } from '../../core/errors.ts'

export interface AuditFileOptions {
  readonly path: string
  /** It is put aside once it has grown to this, in bytes: `path.1` is the newest of `keep`. */
  readonly maxBytes: number
  readonly keep: number
  /** Told once when lines begin to be lost, and how many were when they are not any more. */
  readonly onFault: (message: string) => void
}

/**
 * Records, a line of JSON each, appended to a file of mode 0600 before `write` returns. A full disk stops nobody: lines
 * are lost then, and that is said.
 */
export class AuditFile {
  readonly #options: AuditFileOptions
  #file: number | null = null
  #size = 0
  #lost = 0

  constructor(options: AuditFileOptions) {
    this.#options = options
  }

  write(record: object): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`)
    try {
      if (this.#file !== null && this.#size + line.length > this.#options.maxBytes) this.#putAside()
      const file = (this.#file ??= this.#open())
      // One call, so that a crash leaves a whole line or a torn last one, and never two mixed.
      const written = writeSync(file, line)
      this.#size += written
      if (written < line.length) throw new Error(`only ${written} of ${line.length} bytes went out`)
      if (this.#lost > 0) this.#options.onFault(`${this.#lost} records of the audit log were lost; it is written again`)
      this.#lost = 0
    } catch (error) {
      this.close()
      if (this.#lost === 0) this.#options.onFault(`the audit log cannot be written: ${errorMessage(error)}`)
      this.#lost += 1
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }

  #open(): number {
    const { path } = this.#options
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const file = openSync(path, 'a', 0o600)
    // It may have been there before, with another mode.
    chmodSync(path, 0o600)
    this.#size = fstatSync(file).size
    // The end of a line that a crash, or a full disk, has torn.
    if (this.#size > 0) this.#size += writeSync(file, '\n')
    return file
  }

  #putAside(): void {
    const { path, keep } = this.#options
    this.close()
    for (let n = keep - 1; n >= 1; n--) {
      if (statSync(`${path}.${n}`, { throwIfNoEntry: false }) !== undefined)
        renameSync(`${path}.${n}`, `${path}.${n + 1}`)
    }
    renameSync(path, `${path}.1`)
  }
}
