import type { TrafficRow, TrafficTotals, TrafficView } from '../../contracts/traffic.ts'
import type { LedgerRow } from '../../contracts/ledger.ts'
import type { Moment } from '../../core/clock.ts'
import { missingCounts, trafficBetween, type Counts } from '../../fabric/receipts.ts'
import { addRows, brokenOf, emptyRow, NO_ANSWERS, placeOf, type StatusClasses } from '../../model/ledger-row.ts'
import { latencyOf } from '../../model/latency.ts'

type Counted = LedgerRow & { readonly open: number }

/** The counts of a service at one moment. */
export interface Reading {
  readonly at: Moment
  readonly counts: Readonly<Counts>
}

/** What was counted between two readings of one service. */
export function viewWindow(start: Reading, end: Reading): Omit<TrafficView, 'service' | 'mark' | 'next'> {
  const seconds = secondsBetween(start.at, end.at)
  const rows = trafficBetween(start.counts, end.counts)
  const silent = Object.keys({ ...start.counts, ...end.counts }).filter(
    incarnation => start.counts[incarnation] === null || end.counts[incarnation] == null,
  )
  const missing = missingCounts(silent, rows)
  let total: Counted = { ...emptyRow('', '', ''), open: 0 }
  for (const row of rows) total = { ...addRows(total, row), open: total.open + row.open }
  return {
    since: iso(start.at),
    until: iso(end.at),
    seconds,
    complete: missing.length === 0,
    note: missing.length === 0 ? null : missing.join('; '),
    rows: rows.map(row => viewRow(row, seconds)).toSorted(byPlace),
    totals: countsOf(total, seconds),
  }
}

function viewRow(row: Counted, seconds: number): TrafficRow {
  const { vip, deployment, version } = row
  return {
    vip,
    ...placeOf(vip),
    deployment: deployment === '' ? null : deployment,
    version: version === '' ? null : version,
    ...countsOf(row, seconds),
  }
}

function countsOf(row: Counted, seconds: number): TrafficTotals {
  const { arrived, answered, refused, clientGone, held, heldMaxMs, replayed, open, broken } = row
  const { statuses, own, bytesIn, bytesOut, duration, firstByte } = row.answers ?? NO_ANSWERS
  return {
    arrived,
    answered,
    refused,
    clientGone,
    held,
    heldMaxMs,
    replayed,
    open,
    broken: brokenOf(row),
    brokenBy: { ...broken },
    statuses: classesOf(statuses),
    own: classesOf(own),
    bytesIn,
    bytesOut,
    requestsPerSecond: seconds > 0 ? endedOf(row) / seconds : 0,
    duration: latencyOf(duration),
    firstByte: latencyOf(firstByte),
  }
}

/** Requests of a row that are over, however. */
export function endedOf(row: LedgerRow): number {
  return row.answered + row.refused + row.clientGone + brokenOf(row)
}

function classesOf([one, two, three, four, five]: StatusClasses): TrafficTotals['statuses'] {
  return { '1xx': one, '2xx': two, '3xx': three, '4xx': four, '5xx': five }
}

/** Under another boot only the wall clock tells, which may have been set meanwhile. */
function secondsBetween(start: Moment, end: Moment): number {
  const ms = start.bootId === end.bootId ? end.mono - start.mono : end.wall - start.wall
  return Math.max(0, ms) / 1000
}

function iso({ wall }: Moment): string {
  return new Date(wall).toISOString()
}

/** Production first, internal ones last; then by name. */
function byPlace(a: TrafficRow, b: TrafficRow): number {
  const rank = ({ slot, vip, version, deployment }: TrafficRow): string =>
    [slot ?? '~', vip, version ?? '', deployment ?? ''].join('\n')
  return rank(a) < rank(b) ? -1 : 1
}
