import { readFileSync, renameSync } from 'node:fs'
import type { Assignment } from '../src/contracts/assignment.ts'
import { writeFileAtomic } from '../src/core/atomic-file.ts'
import { systemCode } from '../src/core/errors.ts'

/**
 * The assignment applied last, with its fabric and revision: what an agent goes by until it hears more. null if there is
 * none; a damaged file is set aside and counts as none, and then nothing is stopped for lack of an assignment.
 */
export function loadAssignment(path: string): { assignment: Assignment | null; damaged: boolean } {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { assignment: null, damaged: false }
    throw error
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && 'assignment' in value && isAssignment(value.assignment)) {
      return { assignment: value.assignment, damaged: false }
    }
  } catch {
    // Set aside below.
  }
  renameSync(path, `${path}.damaged-${Date.now()}`)
  return { assignment: null, damaged: true }
}

/** Durable: once applied, a lower revision is refused for ever. */
export function saveAssignment(path: string, assignment: Assignment): void {
  writeFileAtomic(path, `${JSON.stringify({ schema: 1, assignment })}\n`)
}

export function isAssignment(value: unknown): value is Assignment {
  return (
    typeof value === 'object' &&
    value !== null &&
    'fabric' in value &&
    typeof value.fabric === 'string' &&
    'node' in value &&
    'revision' in value &&
    typeof value.revision === 'object' &&
    'instances' in value &&
    Array.isArray(value.instances) &&
    'packages' in value &&
    Array.isArray(value.packages) &&
    'portRange' in value
  )
}
