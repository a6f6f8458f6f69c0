import { errorMessage } from '../../src/core/errors.ts'
import type { Logger } from '../../src/core/logger.ts'

/** Writes of files that may fail (a full disk) without ending anybody: said once, tried again until they succeed. */
export class RetriedWrites {
  readonly #log: Logger
  readonly #pending = new Map<string, () => void>()

  constructor(log: Logger) {
    this.#log = log
  }

  /** Calls `write` now and, should it throw, at each `retry` until it does not. A later one of that `name` replaces it. */
  attempt(name: string, write: () => void): void {
    const failedBefore = this.#pending.delete(name)
    try {
      write()
      if (failedBefore) this.#log.info({ file: name }, 'written at last')
    } catch (error) {
      this.#pending.set(name, write)
      if (failedBefore) return
      this.#log.error(
        { file: name, error: errorMessage(error) },
        'a file cannot be written; serving on and trying again',
      )
    }
  }

  retry(): void {
    for (const [name, write] of Array.from(this.#pending)) this.attempt(name, write)
  }
}
