import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Assignment } from '../src/contracts/assignment.ts'
import { writeFileAtomic } from '../src/core/atomic-file.ts'
import { VipswapError, systemCode } from '../src/core/errors.ts'
import { isAlive, readProcess } from './process-table.ts'

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

/**
 * One agent per node: takes the lock or throws `already_running`. A lock whose holder (pid, start time, boot) is gone is
 * taken over. Returns how to give it back.
 */
export function lockNode(path: string, bootId: string): () => void {
  mkdirSync(dirname(path), { recursive: true })
  const mine = JSON.stringify({ pid: process.pid, startTime: readProcess(process.pid)?.startTime ?? '', bootId })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, mine)
  try {
    for (let tries = 0; tries < 5; tries += 1) {
      try {
        // A link either makes the whole file appear or fails: there is no moment in which the lock is empty.
        linkSync(temporary, path)
        return () => rmSync(path, { force: true })
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error
      }
      const holder = readHolder(path)
      if (holder !== null && holder.bootId === bootId && isAlive(holder.pid, holder.startTime)) {
        throw new VipswapError('already_running', `another agent (pid ${holder.pid}) runs this node`)
      }
      rmSync(path, { force: true })
    }
    throw new VipswapError('already_running', 'another agent is taking this node at the same time')
  } finally {
    rmSync(temporary, { force: true })
  }
}

function readHolder(path: string): { pid: number; startTime: string; bootId: string } | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    // Written by `lockNode` alone, whole.
    return value as { pid: number; startTime: string; bootId: string }
  } catch {
    return null
  }
}
