import { createFault, type Fault } from './fault.ts'
import type { SourceFile } from './source-file.ts'

/** Collects faults and warnings by the path they are about; their places are looked up in the file. */
export class Findings {
  readonly faults: Fault[] = []
  readonly warnings: Fault[] = []
  readonly #source: SourceFile

  constructor(source: SourceFile) {
    this.#source = source
  }

  fault(path: readonly string[], found: string, expected: string): void {
    this.faults.push(createFault(this.#source.place(path), found, expected))
  }

  /** The key itself is what is wrong, not its value. */
  keyFault(path: readonly string[], found: string, expected: string): void {
    this.faults.push(createFault(this.#source.keyPlace(path), found, expected))
  }

  warning(path: readonly string[], found: string, expected: string): void {
    this.warnings.push(createFault(this.#source.place(path), found, expected))
  }
}

/** Of the findings on meaning, those that are no mere consequence of a fault of form at, above or below the place. */
export function independentOf(formal: readonly Fault[], meaning: readonly Fault[]): Fault[] {
  const touches = (a: string, b: string) => a === b || a === '' || b.startsWith(`${a}.`)
  return meaning.filter(({ path }) => !formal.some(it => touches(it.path, path) || touches(path, it.path)))
}
