import type { LoadResult } from '../load/load.ts'
import { OUTCOMES } from '../load/records.ts'
import type { Outcome, RequestRecord } from '../load/records.ts'
import { quantile, table } from './table.ts'

/** A stretch of a scenario; a request belongs to the one in which it was due. */
export interface Phase {
  readonly name: string
  readonly from: number
  readonly to: number
  /** Whether a WebSocket may be closed here, and then only by a close frame. */
  readonly socketsMayClose: boolean
}

/** A group of requests; what they are not grouped by is empty. */
export interface Row {
  readonly phase: string
  readonly vip: string
  readonly load: string
  readonly count: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly versions: Readonly<Record<string, number>>
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Which rows are one: by phase and VIP, by load over all phases, or every combination. */
const GROUPINGS = {
  all: ['phase', 'vip', 'load'],
  phases: ['phase', 'vip'],
  loads: ['load'],
} as const

/** Counts by outcome and version, and latencies (milliseconds, from when a request was due). */
export function summarise(
  records: Iterable<RequestRecord>,
  phases: readonly Phase[],
  grouping: keyof typeof GROUPINGS = 'all',
): Row[] {
  const groups = new Map<string, { row: Pick<Row, 'phase' | 'vip' | 'load'>; all: RequestRecord[] }>()
  for (const record of records) {
    const index = phases.findIndex(each => record.startAt >= each.from && record.startAt < each.to)
    const own = { phase: phases[index]?.name ?? 'outside', vip: record.vip, load: `${record.kind} ${record.loop}` }
    const row = { phase: '', vip: '', load: '' }
    for (const column of GROUPINGS[grouping]) row[column] = own[column]
    const key = `${row.phase && index}|${row.vip}|${row.load}`
    const group = groups.get(key) ?? { row, all: [] }
    groups.set(key, group)
    group.all.push(record)
  }
  const sorted = [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return sorted.map(([, { row, all }]) => ({ ...row, ...measure(all) }))
}

function measure(all: readonly RequestRecord[]): Omit<Row, 'phase' | 'vip' | 'load'> {
  const outcomes: Record<Outcome, number> = { ok: 0, status: 0, refused: 0, reset: 0, timeout: 0, short: 0, corrupt: 0 }
  const versions: Record<string, number> = {}
  for (const record of all) {
    outcomes[record.outcome] += 1
    if (record.version !== '') versions[record.version] = (versions[record.version] ?? 0) + 1
  }
  const latencies = all.filter(record => record.outcome === 'ok').map(record => record.doneAt - record.startAt)
  const [p50, p99, max] = [quantile(latencies, 0.5), quantile(latencies, 0.99), quantile(latencies, 1)]
  return { count: all.length, outcomes, versions, p50, p99, max }
}

export function printPhases(rows: readonly Row[]): string {
  return table(
    ['phase', 'VIP', 'requests', ...OUTCOMES, 'answers by version'],
    rows.map(row => [row.phase, row.vip, row.count, ...outcomeCells(row), versionCell(row)]),
  )
}

export function printLoads(rows: readonly Row[]): string {
  return table(
    ['load', 'requests', ...OUTCOMES, 'p50 ms', 'p99 ms', 'max ms'],
    rows.map(row => [row.load, row.count, ...outcomeCells(row), row.p50, row.p99, row.max]),
  )
}

function outcomeCells(row: Row): number[] {
  return OUTCOMES.map(outcome => row.outcomes[outcome])
}

function versionCell({ versions }: Row): string {
  return Object.keys(versions)
    .toSorted()
    .map(version => `${version} × ${versions[version]}`)
    .join(', ')
}

/** Every way in which the clients lost something, in words; empty is the promise. */
export function losses({ records, webSockets }: LoadResult, phases: readonly Phase[]): string[] {
  const counts = new Map<string, number>()
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1)
  const phaseAt = (time: number): Phase | undefined => phases.find(each => time >= each.from && time < each.to)
  for (const record of records) {
    if (record.outcome === 'ok') continue
    const status = record.outcome === 'status' ? ` ${record.status}` : ''
    count(
      `${record.kind} ${record.loop} on ${record.vip} in ${phaseAt(record.startAt)?.name}: ${record.outcome}${status}`,
    )
  }
  for (const close of webSockets.closes) {
    const phase = phaseAt(close.at)
    if (close.code === 1006) count(`WebSocket on ${close.vip} in ${phase?.name}: cut without a close frame`)
    else if (phase?.socketsMayClose !== true)
      count(`WebSocket on ${close.vip} in ${phase?.name}: closed (${close.code})`)
  }
  if (webSockets.corrupt > 0) counts.set('WebSocket echo that is not the message', webSockets.corrupt)
  return [...counts].map(([what, times]) => `${times} × ${what}`)
}
