import type { OperationView } from '../../contracts/api/operation.ts'
import { formatDuration } from '../../core/duration.ts'
import { table } from './table.ts'

/** `swap of guestbook succeeded in 120ms (op-…)`; a failure says why. */
export function operationLine(operation: OperationView): string {
  const what = `${operation.kind} of ${subjectOf(operation)}`
  const took =
    operation.endedAt === undefined
      ? ''
      : ` after ${formatDuration(Date.parse(operation.endedAt) - Date.parse(operation.startedAt))}`
  const why = operation.error === undefined ? '' : `: ${operation.error.message} [${operation.error.code}]`
  return `${what} ${WORDS[operation.status]}${took}${why} (${operation.id})`
}

/** What an operation is about: `guestbook production`, `node node-1`. */
export function subjectOf({ service, slot, node }: OperationView): string {
  if (node !== undefined) return `node ${node}`
  return slot === undefined ? service : `${service} ${slot}`
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
    ['OPERATION', 'KIND', 'SERVICE', 'SLOT', 'STATUS', 'BY', 'STARTED', 'DETAIL'],
    operations.map(each => [
      each.id,
      each.kind,
      each.service,
      each.slot ?? '',
      each.status,
      each.by ?? '',
      each.startedAt,
      each.error?.message ?? each.progress.message,
    ]),
  )
}
