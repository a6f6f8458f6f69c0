import type { Accepted, OperationView } from '../../../contracts/api/operation.ts'
import type { ReceiptView } from '../../../contracts/api/receipt.ts'
import { call, messageOf, type Method } from './api.ts'
import { count, duration } from './format.ts'
import { onEvents } from './live.ts'
import { notify } from './notices.ts'
import { refreshAll } from './query.ts'
import { hrefs } from './router.ts'

/** Operations this page began and whose end it tells. */
const mine = new Set<string>()

onEvents(events => {
  for (const { kind, operation } of events) {
    if (operation !== undefined && kind.startsWith('operation-') && mine.has(operation)) void tellEnd(operation)
  }
  // After a break the end may have come unheard.
  if (events.length === 0) for (const operation of mine) void tellEnd(operation)
})

/** Sends a mutation; a refusal is told and answered with null. `what` begins the sentence: `The swap`. */
export async function act(what: string, method: Method, path: string, body?: unknown): Promise<string | null> {
  try {
    const { operationId } = await call<Accepted>(method, path, body)
    mine.add(operationId)
    refreshAll()
    // It may have ended before its id was known here.
    void tellEnd(operationId)
    return operationId
  } catch (error) {
    notify('bad', `${what} was refused: ${messageOf(error)}`)
    return null
  }
}

async function tellEnd(id: string): Promise<void> {
  let operation: OperationView
  try {
    operation = await call<OperationView>('GET', `/v1/operations/${id}`)
  } catch {
    return
  }
  if (operation.status === 'InProgress' || !mine.delete(id)) return
  const name = `${operation.kind} ${id}`
  if (operation.status === 'Succeeded') notify('good', `${name} succeeded${await summaryOf(id)}`, hrefs.operation(id))
  else notify('bad', `${name}: ${operation.error?.message ?? operation.status}`, hrefs.operation(id))
}

async function summaryOf(id: string): Promise<string> {
  try {
    const { totals, switchMs } = await call<ReceiptView>('GET', `/v1/operations/${id}/receipt`)
    const parts = [
      ...(switchMs === null ? [] : [`switched in ${duration(switchMs)}`]),
      ...(totals.arrived === 0 ? [] : [`${count(totals.arrived)} requests, ${count(totals.broken)} broken`]),
    ]
    return parts.length === 0 ? '' : `: ${parts.join(', ')}`
  } catch {
    return ''
  }
}
