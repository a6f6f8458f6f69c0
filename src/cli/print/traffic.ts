import type { Latency, TrafficRow, TrafficTotals, TrafficView } from '../../contracts/traffic.ts'
import { formatDuration } from '../../core/duration.ts'
import { table } from './table.ts'

/** A window of traffic: a row for each address, deployment and version, then the sum. */
export function trafficText(view: TrafficView): string {
  const head = `${view.service}, ${view.seconds.toFixed(1)} s from ${view.since} to ${view.until}`
  const header = [
    'ADDRESS',
    'VERSION',
    'ARRIVED',
    'ANSWERED',
    'REFUSED',
    'LEFT',
    'OPEN',
    'BROKEN',
    'HELD',
    'REPLAYED',
    '5XX',
    'PER S',
    'P50',
    'P99',
    'P99.9',
  ]
  const rows = view.rows.map(row => [placeText(row), row.version ?? '', ...cells(row)])
  const causes = Object.entries(view.totals.brokenBy).map(([cause, count]) => `${cause} ${count}`)
  return [
    head,
    table(header, [...rows, ['total', '', ...cells(view.totals)]]),
    ...(view.totals.held > 0 ? [`held at most ${formatDuration(view.totals.heldMaxMs)}`] : []),
    ...(causes.length > 0 ? [`broken by ${causes.join(', ')}`] : []),
    ...(view.complete ? [] : [`incomplete: ${view.note ?? 'no reason given'}`]),
  ].join('\n')
}

function cells(row: TrafficTotals): string[] {
  return [
    ...[row.arrived, row.answered, row.refused, row.clientGone, row.open, row.broken, row.held, row.replayed].map(
      String,
    ),
    String(row.statuses['5xx'] + row.own['5xx']),
    row.requestsPerSecond.toFixed(1),
    ...(['p50Ms', 'p99Ms', 'p999Ms'] as const).map(quantile => msText(row.duration, quantile)),
  ]
}

/** A quantile; empty where nothing was measured. */
export function msText(latency: Latency | null, quantile: 'p50Ms' | 'p99Ms' | 'p999Ms'): string {
  return latency === null ? '' : `${latency[quantile].toFixed(latency[quantile] < 10 ? 2 : 0)} ms`
}

/** `production web/http d1` */
export function placeText({
  slot,
  role,
  endpoint,
  deployment,
}: Pick<TrafficRow, 'slot' | 'role' | 'endpoint' | 'deployment'>): string {
  return `${slot ?? 'internal'} ${role}/${endpoint}${deployment === null ? '' : ` ${deployment}`}`
}
