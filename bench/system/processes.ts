import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessMark {
  readonly pid: number
  readonly startTime: string
  readonly command: string
}

/** All that descends from a process now. Linux only; elsewhere nothing. */
export function descendants(root: number): ProcessMark[] {
  const children = new Map<number, number[]>()
  for (const name of procNames()) {
    const parent = stat(Number(name))?.parent
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
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
  for (const mark of left) if (isAlive(mark)) process.kill(mark.pid, 'SIGKILL')
  return left
}

function isAlive(mark: ProcessMark): boolean {
  const now = stat(mark.pid)
  return now !== undefined && now.startTime === mark.startTime && now.state !== 'Z'
}

/** Undefined where there is no such process. */
export function markOf(pid: number): ProcessMark | undefined {
  const found = stat(pid)
  if (found === undefined) return undefined
  let command = ''
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    // It has just ended.
  }
  return { pid, startTime: found.startTime, command }
}

function stat(pid: number): { parent: number; state: string; startTime: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces; what follows it is field 3 and up.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', parent: Number(fields[1]), startTime: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

function procNames(): string[] {
  try {
    return readdirSync('/proc').filter(name => /^\d+$/.test(name))
  } catch {
    return []
  }
}
