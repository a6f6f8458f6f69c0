import { statSync } from 'node:fs'
import { errorMessage } from './errors.ts'

/**
 * What stands in some files, read again once one of them was changed or replaced. What cannot be read leaves the value
 * as it was: `onFault` is told, once for each change.
 */
export class WatchedFiles<T> {
  readonly #paths: readonly string[]
  readonly #read: () => T
  readonly #onChange: (value: T) => void
  readonly #onFault: (message: string) => void
  #stamp: string
  #value: T

  /** Throws what `read` throws. */
  constructor(
    paths: readonly string[],
    read: () => T,
    handlers: { onChange: (value: T) => void; onFault: (message: string) => void },
  ) {
    this.#paths = paths
    this.#read = read
    this.#onChange = handlers.onChange
    this.#onFault = handlers.onFault
    // Before they are read: a change in between is then seen as one.
    this.#stamp = stampOf(paths)
    this.#value = read()
  }

  get value(): T {
    return this.#value
  }

  /** Looks at the files, and reads them if they are others than before. */
  refresh(): void {
    const stamp = stampOf(this.#paths)
    if (stamp === this.#stamp) return
    this.#stamp = stamp
    try {
      this.#value = this.#read()
    } catch (error) {
      this.#onFault(errorMessage(error))
      return
    }
    this.#onChange(this.#value)
  }
}

/** Changes with every write, rename and change of mode. */
function stampOf(paths: readonly string[]): string {
  return paths
    .map(path => {
      const found = statSync(path, { bigint: true, throwIfNoEntry: false })
      return found === undefined ? '-' : `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`
    })
    .join()
}
