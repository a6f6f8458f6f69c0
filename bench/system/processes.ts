import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import {
  identify,
  isAlive,
  listProcesses,
  signalProcess,
  type ProcessIdentity,
} from '../../src/core/process-identity.ts'

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessMark extends ProcessIdentity {
  readonly command: string
}

/** All that descends from a process now. */
export function descendants(root: number): ProcessMark[] {
  const children = new Map<number, number[]>()
  for (const { pid, parent } of listProcesses()) children.set(parent, [...(children.get(parent) ?? []), pid])
  const found: ProcessMark[] = []
  const visit = (pid: number): void => {
    for (const child of children.get(pid) ?? []) {
      const mark = markOf(child)
      if (mark) found.push(mark)
      visit(child)
    }
  }
  visit(root)
  return found
}

/** Waits until the processes are gone; kills those still there after `timeoutMs` and answers them. */
export async function expectGone(marks: readonly ProcessMark[], timeoutMs: number): Promise<ProcessMark[]> {
  const deadline = Date.now() + timeoutMs
  while (marks.some(isAlive) && Date.now() < deadline) await delay(50)
  const left = marks.filter(isAlive)
  for (const mark of left) signalProcess(mark, 'SIGKILL')
  return left
}

/** Undefined where there is no such process. */
export function markOf(pid: number): ProcessMark | undefined {
  const identity = identify(pid)
  if (identity === null) return undefined
  let command = ''
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    // It has just ended, or this is not Linux.
  }
  return { ...identity, command }
}
