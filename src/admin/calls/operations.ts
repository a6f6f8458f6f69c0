import { Type } from 'typebox'
import { OperationView } from '../../contracts/api/operation.ts'
import { ReceiptView } from '../../contracts/api/receipt.ts'
import { command, listOf, reading, type Call } from './call.ts'
import { EVENT, OPERATION, RECEIPT } from './examples.ts'

export const LIST_OPERATIONS = reading({
  id: 'listOperations',
  tag: 'operations',
  summary: 'Operations, the newest first; 100 unless `limit` says otherwise.',
  schema: listOf('operations', OperationView),
  example: { operations: [OPERATION] },
})

export const GET_OPERATION = reading({
  id: 'getOperation',
  tag: 'operations',
  summary: 'One operation; with `?wait=SECONDS` when it ended or the time is up.',
  schema: OperationView,
  problems: ['operation_not_found'],
  conditional: 'tagged',
  example: OPERATION,
})

export const FORCE = command({
  id: 'force',
  tag: 'operations',
  summary: 'Let an operation go on without the word of peers that are silent; its receipt says so.',
  problems: ['operation_not_found', 'nothing_to_do'],
})

export const GET_RECEIPT = reading({
  id: 'getReceipt',
  tag: 'operations',
  summary: 'What an ended operation did to the traffic.',
  schema: ReceiptView,
  problems: ['operation_not_found', 'not_found'],
  example: RECEIPT,
})

export const EVENTS: Call = {
  id: 'followEvents',
  tag: 'operations',
  summary: 'The timeline of everything, as server-sent events.',
  description:
    'From after `Last-Event-ID` (or `after`; neither: all that is kept), then as it grows. `id:` is the number, `event:` ' +
    'the kind, `data:` an EventView. A comment comes where nothing else does for 15 s; a reader 4 MiB behind is cut, and ' +
    'resumes. `X-Vipswap-Timeline` changes with the data folder: numbers of another one mean nothing. Where events after ' +
    '`Last-Event-ID` are not kept any more, `event: gap` comes first, without an id: `{kind, after, missed}`.',
  answers: {
    200: { description: 'Server-sent events.', schema: Type.String(), type: 'text/event-stream; charset=utf-8' },
  },
  problems: [],
  example: `retry: 1000\n\nid: ${EVENT.seq}\nevent: ${EVENT.kind}\ndata: ${JSON.stringify(EVENT)}\n\n`,
}
