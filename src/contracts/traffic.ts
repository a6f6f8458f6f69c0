import { Type, type Static } from 'typebox'
import { BrokenCounts } from './api/ledger.ts'
import { closed, Count, Nullable, Text, Time, type View } from './api/shape.ts'
import { SlotName } from './api/slot.ts'

// What the ledger counted over a window of time, as the admin API tells it.

export const Latency = Type.Object(
  {
    count: Count('Requests measured.'),
    meanMs: Type.Number({ description: 'Exact.' }),
    p50Ms: Type.Number({ description: 'Never too small, at most 12.5 % or 4 µs too large; so are the others.' }),
    p90Ms: Type.Number(),
    p99Ms: Type.Number(),
    p999Ms: Type.Number(),
  },
  { title: 'Latency' },
)

const Statuses = Type.Object({
  '1xx': Type.Integer(),
  '2xx': Type.Integer(),
  '3xx': Type.Integer(),
  '4xx': Type.Integer(),
  '5xx': Type.Integer(),
})

const counts = {
  arrived: Count('Where it was first given an instance; held ones in the row without a deployment.'),
  answered: Count('By an instance, whole.'),
  refused: Count('Answered by the proxy with a 4xx, or a 503 of an empty or suspended slot.'),
  clientGone: Count('The client left first.'),
  held: Count('Waited for an instance.'),
  heldMaxMs: Type.Number({
    description: 'The longest wait, where a longer one than ever before came in this window; else 0.',
  }),
  replayed: Count('Sent to another instance.'),
  open: Type.Integer({ description: 'Neither answered nor broken at the end; told once for each VIP.' }),
  broken: Count('Not answered whole by an instance.'),
  brokenBy: BrokenCounts,
  statuses: Statuses,
  own: Statuses,
  bytesIn: Count('Of bodies and tunnels, from clients.'),
  bytesOut: Count('Of bodies and tunnels, to clients.'),
  requestsPerSecond: Type.Number({ description: 'Requests that ended, over the length of the window.' }),
  duration: Nullable(Latency),
  firstByte: Nullable(Latency),
}

export const TrafficRow = Type.Object(
  {
    vip: Text("A listener's key."),
    slot: Nullable(SlotName),
    role: Text(),
    endpoint: Text(),
    deployment: Nullable(Text('null: no instance was chosen; *: earlier ones, no longer told apart.')),
    version: Nullable(Text()),
    ...counts,
  },
  { title: 'TrafficRow' },
)

export const TrafficView = Type.Object(
  {
    service: Text(),
    since: Time(),
    until: Time(),
    seconds: Type.Number(),
    mark: Nullable(Text('Where the window begins; null: where the counts do.')),
    next: Text('The mark of `until`: as `since` it begins the window that follows.'),
    complete: Type.Boolean(),
    note: Nullable(Text('Why it is not complete.')),
    rows: Type.Array(TrafficRow),
    totals: Type.Object(counts),
  },
  { title: 'TrafficView' },
)

export const MarkBody = Type.Object(
  { label: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'For people.' })) },
  closed,
)

export const MarkView = Type.Object({ mark: Text(), at: Time(), label: Nullable(Text()) }, { title: 'MarkView' })

export const TrafficPoint = Type.Object(
  {
    at: Time('The end of its second.'),
    seq: Type.Integer({ description: 'Grows, also over a restart of the controller.' }),
    rows: Type.Array(
      Type.Object({
        slot: Nullable(SlotName),
        deployment: Nullable(Text()),
        version: Nullable(Text()),
        requests: Count('Ended in this second.'),
        errors: Count('5xx of instances, and what was broken or answered 5xx by the proxy.'),
        held: Type.Integer(),
        open: Type.Integer({ description: 'At the end of the second.' }),
        replayed: Type.Integer(),
        p50Ms: Nullable(Type.Number()),
        p99Ms: Nullable(Type.Number()),
      }),
    ),
  },
  { title: 'TrafficPoint' },
)

export const TrafficSeries = Type.Object(
  {
    service: Text(),
    stepMs: Type.Literal(1000),
    points: Type.Array(TrafficPoint),
  },
  { title: 'TrafficSeries' },
)

export type Latency = View<typeof Latency>
export type TrafficRow = View<typeof TrafficRow>
export type TrafficTotals = TrafficView['totals']
export type TrafficView = View<typeof TrafficView>
export type MarkBody = Static<typeof MarkBody>
export type MarkView = View<typeof MarkView>
export type TrafficPoint = View<typeof TrafficPoint>
export type TrafficSeries = View<typeof TrafficSeries>

/** How many one-second points are kept. */
export const MAX_POINTS = 900
