import { writeSync } from 'node:fs'
import { systemCode } from './errors.ts'

/** Bytes taken, as `fs.writeSync` says. */
type Put = (bytes: Buffer) => number

const NAP_MS = 10
/** A reader of our log that takes nothing for half a second loses what comes. */
const NAPS = 50

/**
 * Standard error as a place for log lines, written at once. It never throws and never waits long: on a full disk a process
 * goes on without its log. Lines that could not be written are counted, and the next that can be is preceded by how many.
 */
export class LogDestination {
  readonly #name: string
  readonly #put: Put
  #lost = 0
  #why = ''
  /** Of a line that was cut off in the middle. */
  #cut = false
  readonly #nap = new Int32Array(new SharedArrayBuffer(4))

  constructor(name: string, put: Put = bytes => writeSync(2, bytes)) {
    this.#name = name
    this.#put = put
  }

  write(line: string): void {
    const text = this.#lost === 0 ? line : `${this.#cut ? '\n' : ''}${this.#confession()}${line}`
    if (!this.#writeAll(Buffer.from(text))) {
      this.#lost += 1
      return
    }
    this.#lost = 0
    this.#cut = false
  }

  #writeAll(bytes: Buffer): boolean {
    let naps = 0
    for (let done = 0; done < bytes.length;) {
      try {
        done += this.#put(bytes.subarray(done))
      } catch (error) {
        const code = systemCode(error)
        if (code === 'EAGAIN' && naps < NAPS) {
          naps += 1
          Atomics.wait(this.#nap, 0, 0, NAP_MS)
          continue
        }
        this.#why = code ?? String(error)
        this.#cut ||= done > 0
        return false
      }
    }
    return true
  }

  #confession(): string {
    const time = new Date().toISOString()
    const msg = 'log lines could not be written and are lost'
    return `${JSON.stringify({ level: 40, time, name: this.#name, pid: process.pid, lost: this.#lost, error: this.#why, msg })}\n`
  }
}
