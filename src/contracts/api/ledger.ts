import { Type } from 'typebox'
import { BROKEN_CAUSES } from '../../model/ledger-row.ts'
import { Count, OneOf, Text } from './shape.ts'

/** How many broke, by cause; causes that did not happen are left out. */
export const BrokenCounts = Type.Partial(Type.Record(OneOf(BROKEN_CAUSES), Count()))

const Classes = Type.Tuple([Count(), Count(), Count(), Count(), Count()], { description: '1xx, 2xx, 3xx, 4xx, 5xx.' })

const Durations = Type.Object({
  sumUs: Count('Microseconds, all of them together.'),
  buckets: Type.Array(Count(), { description: 'Bucket and count in turn, buckets ascending.' }),
})

const Answers = Type.Object({
  statuses: Classes,
  own: Classes,
  bytesIn: Count(),
  bytesOut: Count(),
  duration: Durations,
  firstByte: Durations,
})

/** `LedgerRow` of src/model and what is open of it. */
export const LedgerRowView = Type.Object(
  {
    vip: Text("A listener's key."),
    deployment: Text('`*`: deployments that have long been gone; empty: none was chosen yet.'),
    version: Text(),
    arrived: Count(),
    answered: Count('By an instance, whole.'),
    refused: Count('By the proxy itself: 4xx, or 503 of an empty or suspended slot.'),
    clientGone: Count('The client left first.'),
    held: Count(),
    heldMaxMs: Type.Number({ minimum: 0 }),
    replayed: Count(),
    broken: BrokenCounts,
    answers: Type.Optional(Answers),
    open: Type.Integer(),
  },
  { title: 'LedgerRowView' },
)
