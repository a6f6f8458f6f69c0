import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { isAlive, type ProcessIdentity } from '../../core/process-identity.ts'

/** `RUN/pids/<name>.json`: which process plays a part, and with which arguments it was started. */
export interface PidRecord extends ProcessIdentity {
  readonly name: string
  readonly args: readonly string[]
  /** Of vipswap. Left out by those that did not write it yet. */
  readonly version?: string
  /** The script it runs. */
  readonly script?: string
  /** Digest of the configuration that it read. */
  readonly configuration?: string
}

export function writePidFile(directory: string, record: PidRecord): void {
  writeFileAtomic(pathOf(directory, record.name), `${JSON.stringify(record)}\n`, { durable: false })
}

/** The live process of that name, or null. */
export function readLive(directory: string, name: string): PidRecord | null {
  try {
    const value: unknown = JSON.parse(readFileSync(pathOf(directory, name), 'utf8'))
    return isRecord(value) && isAlive(value) ? value : null
  } catch {
    // Not there, or damaged: then it says nothing.
    return null
  }
}

export function removePidFile(directory: string, name: string): void {
  rmSync(pathOf(directory, name), { force: true })
}

/** Names that have a file, whether their process lives or not. */
export function pidFileNames(directory: string): string[] {
  return readdirSync(directory).flatMap(file => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : []))
}

/** Names whose process lives; none where the folder was never made. */
export function livingNames(directory: string): string[] {
  if (!existsSync(directory)) return []
  return pidFileNames(directory).filter(name => readLive(directory, name) !== null)
}

function pathOf(directory: string, name: string): string {
  return join(directory, `${name}.json`)
}

function isRecord(value: unknown): value is PidRecord {
  if (typeof value !== 'object' || value === null) return false
  return (
    'pid' in value &&
    typeof value.pid === 'number' &&
    'startTime' in value &&
    typeof value.startTime === 'string' &&
    'bootId' in value &&
    'name' in value &&
    'args' in value &&
    Array.isArray(value.args)
  )
}
