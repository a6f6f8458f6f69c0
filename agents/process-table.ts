import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { KEEPER_NAME } from './keeper.ts'

/**
 * What this machine runs. Linux reads /proc (synchronously: these files live in memory); elsewhere `ps` answers.
 * Nothing outside this file asks the system about processes.
 */
export interface ProcessRow {
  readonly pid: number
  readonly group: number
  readonly zombie: boolean
  /** Opaque; with the pid and the boot id it names one process for ever. */
  readonly startTime: string
}

export interface Keeper {
  readonly pid: number
  readonly token: string
  readonly exitFile: string
}

const LINUX = process.platform === 'linux'

/** The process with this pid, or null if there is none. */
export function readProcess(pid: number): ProcessRow | null {
  if (!LINUX) return listWithPs(['-p', String(pid)])[0]?.row ?? null
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return null
  }
}

/** Is the very process that had this pid and start time still there, and not a zombie? */
export function isAlive(pid: number, startTime: string): boolean {
  const row = readProcess(pid)
  return row !== null && !row.zombie && row.startTime === startTime
}

/** Non-zombie members of a process group. */
export function groupMembers(group: number): number[] {
  // Signal 0 is one system call and settles the usual case: no member of any kind.
  if (!signalGroup(group, 0)) return []
  return listProcesses()
    .filter(row => row.group === group && !row.zombie)
    .map(row => row.pid)
}

/** Sends a signal to a whole group; false if it is gone. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal)
  } catch {
    return false
  }
}

/** Every keeper on this machine whose exit file lies below `directory`. */
export function findKeepers(directory: string): Keeper[] {
  const found: Keeper[] = []
  for (const { pid, words } of LINUX ? commandLines() : []) {
    const at = words.indexOf(KEEPER_NAME)
    const token = words[at + 1]
    const exitFile = words[at + 2]
    if (at < 0 || token === undefined || exitFile === undefined || !exitFile.startsWith(`${directory}/`)) continue
    found.push({ pid, token, exitFile })
  }
  return found
}

function listProcesses(): ProcessRow[] {
  if (!LINUX) return listWithPs(['-ax']).map(({ row }) => row)
  return pids().flatMap(pid => readProcess(pid) ?? [])
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

function* commandLines(): Generator<{ pid: number; words: string[] }> {
  for (const pid of pids()) {
    try {
      yield { pid, words: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') }
    } catch {
      // Gone meanwhile.
    }
  }
}

/** proc(5): the name in parentheses may hold anything, so fields count from its last `)`; state is 3, pgrp 5, start 22. */
function parseStat(pid: number, text: string): ProcessRow {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return {
    pid,
    group: Number(fields[2]),
    zombie: fields[0] === 'Z' || fields[0] === 'X',
    startTime: fields[19] ?? '',
  }
}

function listWithPs(selection: readonly string[]): { row: ProcessRow }[] {
  let text: string
  try {
    text = execFileSync('ps', [...selection, '-o', 'pid=,pgid=,stat=,lstart='], { encoding: 'utf8' })
  } catch {
    return []
  }
  return text.split('\n').flatMap(line => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line)
    if (match === null) return []
    const [, pid, group, stat = '', startTime = ''] = match
    return [{ row: { pid: Number(pid), group: Number(group), zombie: stat.startsWith('Z'), startTime } }]
  })
}
