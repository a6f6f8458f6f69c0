import type { OperationView, ReceiptView } from '../../contracts/api.ts'
import { formatDuration } from '../../core/duration.ts'
import { table } from './table.ts'

/** `swap of guestbook succeeded in 120ms (op-…)`; a failure says why. */
export function operationLine(operation: OperationView): string {
  const what = `${operation.kind} of ${operation.service}${operation.slot === undefined ? '' : ` ${operation.slot}`}`
  const took =
    operation.endedAt === undefined
      ? ''
      : ` after ${formatDuration(Date.parse(operation.endedAt) - Date.parse(operation.startedAt))}`
  const why = operation.error === undefined ? '' : `: ${operation.error.message} [${operation.error.code}]`
  return `${what} ${WORDS[operation.status]}${took}${why} (${operation.id})`
}

const WORDS = {
  InProgress: 'is running',
  Succeeded: 'succeeded',
  Failed: 'failed',
  RolledBack: 'was rolled back',
  Cancelled: 'was cancelled',
} as const satisfies Record<OperationView['status'], string>

export function operationTable(operations: readonly OperationView[]): string {
  return table(
    ['OPERATION', 'KIND', 'SERVICE', 'SLOT', 'STATUS', 'STARTED', 'DETAIL'],
    operations.map(each => [
      each.id,
      each.kind,
      each.service,
      each.slot ?? '',
      each.status,
      each.startedAt,
      each.error?.message ?? each.progress.message,
    ]),
  )
}

export function receiptText(receipt: ReceiptView): string {
  const { totals } = receipt
  const causes = Object.entries(totals.brokenBy).map(([cause, count]) => `${cause} ${count}`)
  const lines = [
    operationLine(receipt.operation),
    `from      ${pairs(receipt.from)}`,
    `to        ${pairs(receipt.to)}`,
    `requests  ${totals.arrived} arrived, ${totals.answered} answered, ${totals.refused} refused, ${totals.clientGone} left, ${totals.open} open`,
    `held      ${totals.held}, longest ${formatDuration(totals.heldMaxMs)}; replayed ${totals.replayed}`,
    `broken    ${totals.broken}${causes.length === 0 ? '' : ` (${causes.join(', ')})`}`,
  ]
  if (receipt.switchMs !== null) lines.push(`switched  in ${receipt.switchMs.toFixed(1)} ms`)
  for (const each of receipt.domains) {
    lines.push(`domain ${each.domain}  ${each.instances} instances, ${each.startedAt} to ${each.endedAt ?? '-'}`)
  }
  if (receipt.failure !== undefined) lines.push(`failure   ${receipt.failure.reason}: ${receipt.failure.message}`)
  for (const remark of receipt.remarks) lines.push(`remark    ${remark}`)
  if (!receipt.complete) lines.push(`incomplete: ${receipt.note ?? 'no reason given'}`)
  return lines.join('\n')
}

function pairs(values: Readonly<Record<string, string | null>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}=${value ?? 'empty'}`)
    .join(' ')
}
