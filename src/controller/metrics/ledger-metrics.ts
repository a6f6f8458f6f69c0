import type { Registry } from 'prom-client'
import { isFolded, NO_ANSWERS, sumRows, type AnswerCounts, type LedgerRow } from '../../model/ledger-row.ts'
import type { FabricState } from '../../fabric/state.ts'
import { addSeries, DurationHistogram } from './series.ts'

const ROW = ['vip', 'deployment', 'version'] as const
type RowLabels = Record<(typeof ROW)[number], string>

/** What became of requests, from the ledgers of all proxies. Rows of deployments gone for an hour are no series any more. */
export function addLedgerMetrics(registry: Registry, read: () => FabricState): void {
  const rows = (): LedgerRow[] =>
    sumRows(Object.values(read().observed.proxies).map(proxy => proxy.status?.ledger.rows ?? [])).filter(
      row => !isFolded(row),
    )
  const counter = (name: string, help: string, countOf: (row: LedgerRow) => number): void =>
    addSeries(registry, { type: 'counter', name, help, labels: ROW }, put => {
      for (const row of rows()) put(labelsOf(row), countOf(row))
    })
  const histogram = (name: string, help: string, of: (answers: AnswerCounts) => AnswerCounts['duration']): void =>
    registry.registerMetric(
      new DurationHistogram({ name, help, labels: ROW }, () =>
        rows().flatMap(row => (row.answers === undefined ? [] : [[labelsOf(row), of(row.answers)] as const])),
      ),
    )

  counter('vipswap_requests_arrived_total', 'Requests by where they were first sent', row => row.arrived)
  addSeries(
    registry,
    {
      type: 'counter',
      name: 'vipswap_requests_total',
      help: 'Requests that ended, by how: answered, refused, client-gone, or a cause of being broken',
      labels: [...ROW, 'outcome'],
    },
    put => {
      for (const row of rows()) {
        put({ ...labelsOf(row), outcome: 'answered' }, row.answered)
        if (row.refused > 0) put({ ...labelsOf(row), outcome: 'refused' }, row.refused)
        if (row.clientGone > 0) put({ ...labelsOf(row), outcome: 'client-gone' }, row.clientGone)
        for (const [outcome, count] of Object.entries(row.broken)) put({ ...labelsOf(row), outcome }, count)
      }
    },
  )
  addSeries(
    registry,
    {
      type: 'counter',
      name: 'vipswap_requests_broken_total',
      help: 'Requests that were not answered whole by an instance; must stay 0 in planned work',
      labels: [...ROW, 'cause'],
    },
    put => {
      for (const row of rows()) {
        for (const [cause, count] of Object.entries(row.broken)) put({ ...labelsOf(row), cause }, count)
      }
    },
  )
  counter('vipswap_requests_held_total', 'Requests that were held', row => row.held)
  counter('vipswap_requests_replayed_total', 'Requests sent to another instance', row => row.replayed)
  addSeries(
    registry,
    {
      type: 'counter',
      name: 'vipswap_responses_total',
      help: 'Answers whose head was sent to clients, by class of status and by who made them (instance, proxy)',
      labels: [...ROW, 'class', 'by'],
    },
    put => {
      for (const row of rows()) {
        const { statuses, own } = row.answers ?? NO_ANSWERS
        for (const [by, counts] of [
          ['instance', statuses],
          ['proxy', own],
        ] as const) {
          for (const [index, count] of counts.entries()) {
            if (count > 0) put({ ...labelsOf(row), class: `${index + 1}xx`, by }, count)
          }
        }
      }
    },
  )
  histogram(
    'vipswap_request_duration_seconds',
    'Answered requests: from their head to the end of the answer',
    answers => answers.duration,
  )
  histogram(
    'vipswap_request_first_byte_seconds',
    'Answered requests: from their head to the head of the answer',
    answers => answers.firstByte,
  )
  counter(
    'vipswap_request_body_bytes_total',
    'Bytes of bodies and tunnels from clients',
    row => row.answers?.bytesIn ?? 0,
  )
  counter(
    'vipswap_response_body_bytes_total',
    'Bytes of bodies and tunnels to clients',
    row => row.answers?.bytesOut ?? 0,
  )
}

function labelsOf({ vip, deployment, version }: LedgerRow): RowLabels {
  return { vip, deployment, version }
}
