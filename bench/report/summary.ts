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

export interface Row {
  readonly phase: string
  readonly vip: string
  readonly kind: string
  readonly count: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly versions: Readonly<Record<string, number>>
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Counts and latencies (milliseconds, from when a request was due) by phase, VIP, kind and loop. */
export function summarise(records: Iterable<RequestRecord>, phases: readonly Phase[]): Row[] {
  const groups = new Map<string, { phase: string; vip: string; kind: string; all: RequestRecord[] }>()
  for (const record of records) {
    const phase = phases.find(each => record.startAt >= each.from && record.startAt < each.to)?.name ?? 'outside'
    const kind = `${record.kind} ${record.loop}`
    const key = `${phases.findIndex(each => each.name === phase)}|${record.vip}|${kind}`
    const group = groups.get(key) ?? { phase, vip: record.vip, kind, all: [] }
    groups.set(key, group)
    group.all.push(record)
  }
  return [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { all, ...group }]) => {
      const outcomes: Record<Outcome, number> = {
        ok: 0,
        status: 0,
        refused: 0,
        reset: 0,
        timeout: 0,
        short: 0,
        corrupt: 0,
      }
      const versions: Record<string, number> = {}
      for (const record of all) {
        outcomes[record.outcome] += 1
        if (record.version !== '') versions[record.version] = (versions[record.version] ?? 0) + 1
      }
      const latencies = all.filter(record => record.outcome === 'ok').map(record => record.doneAt - record.startAt)
      const [p50, p99, max] = [0.5, 0.99, 1].map(share => quantile(latencies, share))
      return { ...group, count: all.length, outcomes, versions, p50: p50 ?? 0, p99: p99 ?? 0, max: max ?? 0 }
    })
}

export function printRows(rows: readonly Row[]): string {
  return table(
    ['phase', 'VIP', 'load', 'requests', ...OUTCOMES, 'p50 ms', 'p99 ms', 'max ms'],
    rows.map(row => [
      row.phase,
      row.vip,
      row.kind,
      row.count,
      ...OUTCOMES.map(outcome => row.outcomes[outcome]),
      row.p50,
      row.p99,
      row.max,
    ]),
  )
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
