import { MarkView, TrafficSeries, TrafficView } from '../../contracts/traffic.ts'
import { command, listOf, reading, type Call } from './call.ts'
import { LATENCY, TRAFFIC_COUNTS } from './examples.ts'

const MARK: MarkView = { mark: 'm-1', at: '2026-01-02T03:04:05.000Z', label: 'before the load test' }

export const GET_TRAFFIC = reading({
  id: 'getTraffic',
  tag: 'traffic',
  summary: 'What callers saw since a mark, by address, deployment and version.',
  description:
    'Without `since`: since the counts begin. `next` is the mark of the answer: given as `since` it asks on.',
  schema: TrafficView,
  problems: ['service_not_found', 'mark_not_found'],
  example: {
    service: 'guestbook',
    since: '2026-01-02T03:04:05.000Z',
    until: '2026-01-02T03:04:15.000Z',
    seconds: 10,
    mark: 'm-1',
    next: 'm-2',
    complete: true,
    note: null,
    rows: [
      {
        vip: 'guestbook/production/web/http',
        slot: 'production',
        role: 'web',
        endpoint: 'http',
        deployment: 'dep-1',
        version: '1.0.0',
        ...TRAFFIC_COUNTS,
      },
    ],
    totals: TRAFFIC_COUNTS,
  } satisfies TrafficView,
})

export const LIST_MARKS = reading({
  id: 'listMarks',
  tag: 'traffic',
  summary: 'The marks of a service that are kept.',
  schema: listOf('marks', MarkView),
  problems: ['service_not_found'],
  example: { marks: [MARK] },
})

export const MAKE_MARK: Call = {
  id: 'makeMark',
  tag: 'traffic',
  summary: 'Mark this moment, to ask later what was counted since.',
  answers: { 201: { description: 'The mark; it outlives a restart of the controller.', schema: MarkView } },
  problems: ['service_not_found'],
  example: { label: 'before the load test' },
}

export const GET_SERIES = reading({
  id: 'getTrafficSeries',
  tag: 'traffic',
  summary: 'The last seconds one by one, up to 900.',
  description: 'With `after` only those newer than the point of that `seq`. Kept in memory: a restart begins anew.',
  schema: TrafficSeries,
  problems: ['service_not_found'],
  example: {
    service: 'guestbook',
    stepMs: 1000,
    points: [
      {
        at: '2026-01-02T03:04:05.000Z',
        seq: 1767323045,
        rows: [
          {
            slot: 'production',
            deployment: 'dep-1',
            version: '1.0.0',
            requests: 31,
            errors: 0,
            held: 0,
            open: 1,
            replayed: 0,
            p50Ms: LATENCY.p50Ms,
            p99Ms: LATENCY.p99Ms,
          },
        ],
      },
    ],
  } satisfies TrafficSeries,
})

export const PAUSE = command({
  id: 'pause',
  tag: 'traffic',
  summary: "Hold what arrives at a slot's addresses, for a bounded time.",
  problems: ['service_not_found', 'slot_empty', 'operation_in_progress', 'nothing_to_do'],
  example: { timeout: '30s' },
})

export const RESUME = command({
  id: 'resume',
  tag: 'traffic',
  summary: 'Let go what is held.',
  problems: ['service_not_found', 'slot_empty', 'nothing_to_do'],
})
