import { readFileSync, renameSync } from 'node:fs'
import type { AssignedInstance } from '../src/contracts/assignment.ts'
import { writeFileAtomic } from '../src/core/atomic-file.ts'
import { systemCode } from '../src/core/errors.ts'
import type { Health } from './prober.ts'

/**
 * What an agent must know of an instance to take it over from an earlier agent. Self-contained: the assignment it was
 * started under is in it. `phase` says what `pid` is: nothing yet (`intent`), a startup command, the role, or ended.
 */
export interface RunRecord {
  readonly schema: 1
  readonly assigned: AssignedInstance
  readonly attempt: number
  readonly phase: 'intent' | 'startup' | 'run' | 'ended'
  readonly token: string
  readonly pid: number | null
  readonly startTime: string | null
  readonly bootId: string
  readonly ports: Readonly<Record<string, number>>
  /** What the probes said last. An adopting agent believes it until its own say otherwise. */
  readonly health: Health
  /** Wall clock of the last change of `health`. */
  readonly since: number
  /** Monotonic clock of this attempt's first ready. */
  readonly readySince: number | null
}

/** Replaces the record. Not synced: after a power cut there is no process left that it could describe. */
export function writeRecord(path: string, record: RunRecord): void {
  writeFileAtomic(path, `${JSON.stringify(record)}\n`, { durable: false })
}

/** The record, or null if there is none; a damaged one is set aside under `.damaged` and counts as none. */
export function readRecord(path: string): RunRecord | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    throw error
  }
  try {
    const value: unknown = JSON.parse(text)
    if (isRecord(value)) return value
  } catch {
    // Set aside below.
  }
  renameSync(path, `${path}.damaged`)
  return null
}

function isRecord(value: unknown): value is RunRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'schema' in value &&
    value.schema === 1 &&
    'token' in value &&
    typeof value.token === 'string' &&
    'attempt' in value &&
    typeof value.attempt === 'number' &&
    'assigned' in value &&
    typeof value.assigned === 'object'
  )
}
