import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { descendants } from '../../../bench/system/processes.ts'
import { systemCode } from '../../../src/core/errors.ts'
import { findProcesses } from './processes.ts'

/** What one part of the system uses. Memory in MiB; `heap` is what it allocated itself (anonymous memory), `rss` all of it. */
export interface Usage {
  readonly pid: number
  readonly rss: number
  readonly heap: number
  readonly descriptors: number
}

export interface Sample {
  /** Seconds since the first one. */
  readonly at: number
  readonly parts: Readonly<Record<string, Usage>>
  /** Role processes and their keepers, and all of the system's. */
  readonly roles: number
  readonly processes: number
  /** Below the data folder; bytes are MiB. */
  readonly files: number
  readonly disk: number
}

/** Looks at every process and file of a system from outside. */
export function takeSample(data: string, beganAt: number): Sample {
  const processes = findProcesses(data)
  const parts: Record<string, Usage> = {}
  const folder = join(data, 'run', 'pids')
  for (const file of readdirSync(folder).filter(name => name.endsWith('.json'))) {
    const name = file.slice(0, -'.json'.length)
    const pid = pidIn(join(folder, file))
    if (pid === null) continue
    add(parts, name, pid)
    if (!name.startsWith('proxy')) continue
    const workers = descendants(pid).filter(({ command }) => command.includes('worker'))
    for (const [index, worker] of workers.entries()) add(parts, `${name} worker ${index}`, worker.pid)
  }
  const roles = processes.filter(({ deployment }) => deployment !== '').length
  const at = (performance.now() - beganAt) / 1000
  return { at, parts, roles, processes: processes.length, ...folderSize(data) }
}

function add(parts: Record<string, Usage>, name: string, pid: number): void {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const mebibytes = (field: string): number =>
      Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 102.4) / 10
    const descriptors = readdirSync(`/proc/${pid}/fd`).length
    parts[name] = { pid, rss: mebibytes('VmRSS'), heap: mebibytes('RssAnon'), descriptors }
  } catch {
    // It is just being replaced.
  }
}

function pidIn(file: string): number | null {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid
  } catch {
    return null
  }
}

/** Files that come and go while it is looked at count as they are met. */
function folderSize(folder: string): { files: number; disk: number } {
  let files = 0
  let bytes = 0
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      try {
        const child = join(path, entry.name)
        if (entry.isDirectory()) visit(child)
        else {
          files += 1
          bytes += statSync(child).size
        }
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error
      }
    }
  }
  visit(folder)
  return { files, disk: Math.round((bytes / 2 ** 20) * 10) / 10 }
}

/** Growth per hour by least squares; NaN where there is too little to say so. */
export function slopePerHour(points: readonly { readonly at: number; readonly value: number }[]): number {
  const count = points.length
  const meanAt = points.reduce((sum, { at }) => sum + at, 0) / count
  const meanValue = points.reduce((sum, { value }) => sum + value, 0) / count
  const spread = points.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0)
  const product = points.reduce((sum, { at, value }) => sum + (at - meanAt) * (value - meanValue), 0)
  return (product / spread) * 3600
}
