import type { ReceiptView } from '../../contracts/api/receipt.ts'
import { formatDuration } from '../../core/duration.ts'
import { brokenOf, placeOf } from '../../model/ledger-row.ts'
import { latencyOf } from '../../model/latency.ts'
import { operationLine } from './operation.ts'
import { table } from './table.ts'
import { msText, placeText } from './traffic.ts'

/** What an operation did: who and what, every request counted, how long they took, and how long each domain. */
export function receiptText(receipt: ReceiptView): string {
  return [
    operationLine(receipt.operation),
    ...summary(receipt),
    ...section(traffic(receipt)),
    ...section(latency(receipt)),
    ...section(domains(receipt)),
  ].join('\n')
}

function summary(receipt: ReceiptView): string[] {
  const { totals, operation, drained } = receipt
  const { by, signedBy } = receipt
  return [
    `when      ${operation.startedAt} to ${operation.endedAt ?? '-'}${by === null ? '' : `, by ${by}`}`,
    `from      ${pairs(receipt.from)}`,
    `to        ${pairs(receipt.to)}`,
    ...(signedBy === undefined ? [] : [`signed    by ${signedBy.join(', ')}`]),
    `requests  ${totals.arrived} arrived, ${totals.answered} answered, ${totals.refused} refused, ${totals.clientGone} left, ${totals.open} open`,
    `held      ${totals.held}, longest ${formatDuration(totals.heldMaxMs)}; replayed ${totals.replayed}`,
    `broken    ${withDetail(totals.broken, causesOf(totals.brokenBy))}`,
    ...(drained === null
      ? []
      : [`drained   ${drained.connections} requests and tunnels in flight, ${drained.tunnels} tunnels ended`]),
    ...(receipt.switchMs === null ? [] : [`switched  in ${receipt.switchMs.toFixed(1)} ms`]),
    ...(receipt.failure === undefined ? [] : [`failure   ${receipt.failure.reason}: ${receipt.failure.message}`]),
    ...receipt.remarks.map(remark => `remark    ${remark}`),
    ...(receipt.complete ? [] : [`incomplete: ${receipt.note ?? 'no reason given'}`]),
  ]
}

function traffic(receipt: ReceiptView): string | null {
  if (receipt.traffic.length === 0) return null
  const rows = receipt.traffic.map(row => {
    const durations = latencyOf(row.answers?.duration)
    return [
      placeText({ ...placeOf(row.vip), deployment: row.deployment === '' ? null : row.deployment }),
      row.version,
      ...[row.arrived, row.answered, row.refused, row.clientGone, row.open].map(String),
      withDetail(brokenOf(row), causesOf(row.broken)),
      withDetail(row.held, formatDuration(row.heldMaxMs)),
      String(row.replayed),
      ...(['p50Ms', 'p99Ms', 'p999Ms'] as const).map(quantile => msText(durations, quantile)),
    ]
  })
  const counts = ['ARRIVED', 'ANSWERED', 'REFUSED', 'LEFT', 'OPEN', 'BROKEN', 'HELD', 'REPLAYED']
  return table(['ADDRESS', 'VERSION', ...counts, 'P50', 'P99', 'P99.9'], rows)
}

function latency({ latency: { before, during, after } }: ReceiptView): string | null {
  const versions = [...new Set([before, during, after ?? {}].flatMap(each => Object.keys(each)))].toSorted()
  if (versions.length === 0) return null
  const cell = (of: ReceiptView['latency']['before'] | null, version: string): string => {
    const found = of?.[version] ?? null
    return found === null ? '' : (['p50Ms', 'p99Ms', 'p999Ms'] as const).map(each => msText(found, each)).join(' / ')
  }
  return table(
    ['P50 / P99 / P99.9', '10 S BEFORE', 'DURING', '10 S AFTER'],
    versions.map(version => [version, cell(before, version), cell(during, version), cell(after, version)]),
  )
}

function domains(receipt: ReceiptView): string | null {
  if (receipt.domains.length === 0) return null
  const took = (from: string | null, to: string | null): string =>
    from === null || to === null ? '' : formatDuration(Date.parse(to) - Date.parse(from))
  return table(
    ['DOMAIN', 'INSTANCES', 'STARTED', 'DOWN AND READY', 'CHECKED', 'WHOLE'],
    receipt.domains.map(each => [
      String(each.domain),
      String(each.instances),
      each.startedAt,
      took(each.startedAt, each.arrivedAt),
      took(each.arrivedAt, each.endedAt),
      took(each.startedAt, each.endedAt),
    ]),
  )
}

/** `3 (timeout 3)`; nothing is said of none. */
function withDetail(count: number, detail: string): string {
  return count === 0 ? '0' : `${count} (${detail})`
}

function causesOf(broken: ReceiptView['totals']['brokenBy']): string {
  return Object.entries(broken)
    .map(([cause, count]) => `${cause} ${count}`)
    .join(', ')
}

function section(text: string | null): string[] {
  return text === null ? [] : ['', text]
}

function pairs(values: Readonly<Record<string, string | null>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}=${value ?? 'empty'}`)
    .join(' ')
}
