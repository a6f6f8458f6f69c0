import { closeSync, openSync, readSync } from 'node:fs'
import { isAliveThisBoot, parseStat } from '../src/core/process-identity.ts'

/** More than a line of proc(5)'s stat. */
const LINE_BYTES = 2048
/** Every eye looks within one turn of the loop: they share what they read into. */
const line = Buffer.allocUnsafe(LINE_BYTES)

/**
 * Looks at one process of this boot again and again. On Linux by one read of its `stat`, kept open: that file is of this very
 * process, never of a later one with its pid, and opening it anew each time costs several times as much.
 */
export class ProcessEye {
  readonly #pid: number
  readonly #startTime: string
  /** null: it cannot be kept open here. */
  #file: number | null
  #isOurs = false

  constructor(pid: number, startTime: string) {
    this.#pid = pid
    this.#startTime = startTime
    this.#file = openStat(pid)
  }

  /** Does it still run? A zombie does not. */
  isAlive(): boolean {
    if (this.#file === null) return isAliveThisBoot(this.#pid, this.#startTime)
    try {
      const text = line.latin1Slice(0, readSync(this.#file, line, 0, LINE_BYTES, 0))
      // Whose file it is does not change; of a zombie more is to be known.
      if (this.#isOurs && !/[ZX]/.test(text.charAt(text.lastIndexOf(')') + 2))) return true
      const { alive, startTime } = parseStat(this.#pid, text)
      this.#isOurs = startTime === this.#startTime
      return alive && this.#isOurs
    } catch {
      // ESRCH: it is gone. Anything else is looked at in the other way.
      return isAliveThisBoot(this.#pid, this.#startTime)
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }
}

function openStat(pid: number): number | null {
  try {
    return openSync(`/proc/${pid}/stat`, 'r')
  } catch {
    return null
  }
}
