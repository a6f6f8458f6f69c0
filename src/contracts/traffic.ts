import { Type, type Static, type TSchema } from 'typebox'
import { BROKEN_CAUSES } from '../model/ledger-row.ts'

// What the ledger counted over a window of time, as the admin API tells it.

const closed = { additionalProperties: false }
const OrNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Count = (description: string) => Type.Integer({ minimum: 0, description })
const Slot = Type.Union([Type.Literal('production'), Type.Literal('staging')])
const At = Type.String({ description: 'ISO 8601' })

export const Latency = Type.Object(
  {
    count: Count('Requests measured.'),
    meanMs: Type.Number({ description: 'Exact.' }),
    p50Ms: Type.Number({ description: 'Never too small, at most 12.5 % or 4 µs too large; so are the others.' }),
    p90Ms: Type.Number(),
    p99Ms: Type.Number(),
    p999Ms: Type.Number(),
  },
  closed,
)

const Statuses = Type.Object(
  { '1xx': Type.Integer(), '2xx': Type.Integer(), '3xx': Type.Integer(), '4xx': Type.Integer(), '5xx': Type.Integer() },
  closed,
)

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
  brokenBy: Type.Partial(Type.Object(Object.fromEntries(BROKEN_CAUSES.map(cause => [cause, Type.Integer()])))),
  statuses: Statuses,
  own: Statuses,
  bytesIn: Count('Of bodies and tunnels, from clients.'),
  bytesOut: Count('Of bodies and tunnels, to clients.'),
  requestsPerSecond: Type.Number({ description: 'Requests that ended, over the length of the window.' }),
  duration: OrNull(Latency),
  firstByte: OrNull(Latency),
}

export const TrafficRow = Type.Object(
  {
    vip: Type.String({ description: "A listener's key." }),
    slot: OrNull(Slot),
    role: Type.String(),
    endpoint: Type.String(),
    deployment: OrNull(
      Type.String({ description: 'null: no instance was chosen; *: earlier ones, no longer told apart.' }),
    ),
    version: OrNull(Type.String()),
    ...counts,
  },
  closed,
)

export const TrafficView = Type.Object(
  {
    service: Type.String(),
    since: At,
    until: At,
    seconds: Type.Number(),
    mark: OrNull(Type.String({ description: 'Where the window begins; null: where the counts do.' })),
    next: Type.String({ description: 'The mark of `until`: as `since` it begins the window that follows.' }),
    complete: Type.Boolean(),
    note: OrNull(Type.String({ description: 'Why it is not complete.' })),
    rows: Type.Array(TrafficRow),
    totals: Type.Object(counts, closed),
  },
  closed,
)

export const MarkBody = Type.Object(
  { label: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'For people.' })) },
  closed,
)

export const MarkView = Type.Object({ mark: Type.String(), at: At, label: OrNull(Type.String()) }, closed)

export const TrafficPoint = Type.Object(
  {
    at: Type.String({ description: 'The end of its second; ISO 8601.' }),
    seq: Type.Integer({ description: 'Grows, also over a restart of the controller.' }),
    rows: Type.Array(
      Type.Object(
        {
          slot: OrNull(Slot),
          deployment: OrNull(Type.String()),
          version: OrNull(Type.String()),
          requests: Count('Ended in this second.'),
          errors: Count('5xx of instances, and what was broken or answered 5xx by the proxy.'),
          held: Type.Integer(),
          open: Type.Integer({ description: 'At the end of the second.' }),
          replayed: Type.Integer(),
          p50Ms: OrNull(Type.Number()),
          p99Ms: OrNull(Type.Number()),
        },
        closed,
      ),
    ),
  },
  closed,
)

export const TrafficSeries = Type.Object(
  { service: Type.String(), stepMs: Type.Literal(1000), points: Type.Array(TrafficPoint) },
  closed,
)

export type Latency = Static<typeof Latency>
export type TrafficRow = Static<typeof TrafficRow>
export type TrafficTotals = TrafficView['totals']
export type TrafficView = Static<typeof TrafficView>
export type MarkBody = Static<typeof MarkBody>
export type MarkView = Static<typeof MarkView>
export type TrafficPoint = Static<typeof TrafficPoint>
export type TrafficSeries = Static<typeof TrafficSeries>

/** How many one-second points are kept. */
export const MAX_POINTS = 900
