import { execFile } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Context } from './workload.ts'

const FIELDS = 3

/** Every request of an open loop in the order of their ends. Times are milliseconds, `dueAt` on the clock of `now()`. */
export class PacedRecords {
  readonly #values: Float64Array

  constructor(values: Float64Array) {
    this.#values = values
  }

  get length(): number {
    return this.#values.length / FIELDS
  }

  dueAt(index: number): number {
    return this.#values[index * FIELDS] ?? Number.NaN
  }

  /** From when it was due to the end of its answer. */
  latency(index: number): number {
    return this.#values[index * FIELDS + 1] ?? Number.NaN
  }

  /** The first character of the answer's `X-Version`, `-` without one; empty if there was no good answer. */
  label(index: number): string {
    const code = this.#values[index * FIELDS + 2] ?? 0
    return code === 0 ? '' : String.fromCharCode(code)
  }

  /** When the first was due. */
  get beganAt(): number {
    let first = Infinity
    for (let index = 0; index < this.length; index++) first = Math.min(first, this.dueAt(index))
    return first
  }

  /** Sorted latencies of those that were due in [from, to) and answered. */
  latencies(from = -Infinity, to = Infinity): Float64Array {
    const found: number[] = []
    for (let index = 0; index < this.length; index++) {
      const due = this.dueAt(index)
      if (due >= from && due < to && this.label(index) !== '') found.push(this.latency(index))
    }
    return Float64Array.from(found).sort()
  }

  /** How many had no good answer. */
  get failed(): number {
    let count = 0
    for (let index = 0; index < this.length; index++) if (this.label(index) === '') count++
    return count
  }
}

export interface Pace {
  readonly connections: number
  readonly perSecond: number
  readonly seconds: number
}

/** Sends requests for 55 bytes at a constant rate, from the load's core; see native/paced.c. */
export async function runPaced(context: Context, port: number, pace: Pace): Promise<PacedRecords> {
  const out = join(context.folder('paced'), 'records')
  const numbers = [port, pace.connections, Math.round(pace.perSecond), pace.seconds].map(String)
  await promisify(execFile)(...context.cores.load(context.native.paced, [...numbers, '/55', out]))
  const bytes = readFileSync(out)
  rmSync(out)
  return parsePaced(bytes)
}

/** Reads what paced.c writes: doubles of this machine, three for each request. */
export function parsePaced(bytes: Buffer): PacedRecords {
  if (bytes.length % (FIELDS * 8) !== 0) throw new Error(`${bytes.length} bytes are no records`)
  const aligned = new Uint8Array(bytes)
  return new PacedRecords(new Float64Array(aligned.buffer, 0, aligned.length / 8))
}
