import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Line } from './line.ts'

const FLUSH_LINES = 500

/** Milliseconds since 1970, without the jumps of the wall clock. */
export function timeNow(): number {
  return performance.timeOrigin + performance.now()
}

/** Writes a recording, in lumps, so that hours of it need no memory. */
export class Recorder {
  readonly file: string
  #waiting: string[] = []

  constructor(file: string, name: string) {
    this.file = file
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, '')
    this.add({ type: 'run', form: 1, name, at: timeNow() })
  }

  add(line: Line): void {
    this.#waiting.push(JSON.stringify(line))
    if (this.#waiting.length >= FLUSH_LINES) this.flush()
  }

  flush(): void {
    if (this.#waiting.length > 0) appendFileSync(this.file, `${this.#waiting.join('\n')}\n`)
    this.#waiting = []
  }
}
