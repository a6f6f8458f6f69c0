import { readFileSync } from 'node:fs'
import { writeFileAtomic } from '../src/core/atomic-file.ts'
import { systemCode } from '../src/core/errors.ts'
import { ensureSealKey } from '../src/core/seal-key.ts'

/** Under which the values are sealed here, whatever their setting is called. */
const NAME = 'agent'

export interface SecretFiles {
  /** This node's own key, mode 0600. */
  readonly key: string
  /** What was told last, sealed with it: an agent that comes back starts instances without a controller. */
  readonly values: string
}

/** The values of secrets as the controller told them, by their sealed text: all other files of the agent hold only that. */
export class SecretStore {
  readonly #files: SecretFiles
  #values: Readonly<Record<string, string>> = {}

  constructor(files: SecretFiles) {
    this.#files = files
  }

  /** Takes up what an earlier agent was told. Answers false where its file is damaged or of another key: it is told again. */
  load(): boolean {
    let text: string
    try {
      text = readFileSync(this.#files.values, 'utf8')
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return true
      throw error
    }
    const opened = ensureSealKey(this.#files.key).open(NAME, text.trim())
    if (opened === null) return false
    this.#values = JSON.parse(opened) as Record<string, string> // sealed by `take`, and whole
    return true
  }

  /** What was told, beside what is known already and still `needed`; durable when it returns. */
  take(told: Readonly<Record<string, string>>, needed: ReadonlySet<string>): void {
    const known = Object.entries(this.#values).filter(([sealed]) => needed.has(sealed))
    const values = { ...Object.fromEntries(known), ...told }
    const text = JSON.stringify(values)
    if (text === JSON.stringify(this.#values)) return
    writeFileAtomic(this.#files.values, `${ensureSealKey(this.#files.key).seal(NAME, text)}\n`)
    this.#values = values
  }

  /** The value of a sealed text, or null where it was not told. */
  valueOf(sealed: string): string | null {
    return Object.hasOwn(this.#values, sealed) ? (this.#values[sealed] ?? null) : null
  }
}
