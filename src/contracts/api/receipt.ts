import { Type } from 'typebox'
import { BrokenCounts, LedgerRowView } from './ledger.ts'
import { OperationView } from './operation.ts'
import { FailureView } from './upgrade-status.ts'
import { Latency } from '../traffic.ts'
import { Count, Nullable, Text, Time, type View } from './shape.ts'

const Named = Type.Record(Type.String(), Nullable(Type.String()))

const ByVersion = Type.Record(Type.String(), Nullable(Latency))

/** Kept with each ended operation. Times are ISO 8601, durations milliseconds. */
export const ReceiptView = Type.Object(
  {
    operation: OperationView,
    by: Nullable(Type.String(), 'Who asked for it.'),
    signedBy: Type.Optional(
      Type.Array(Text(), { description: 'The trusted keys that signed the package it brought, by name.' }),
    ),
    from: Named,
    to: Named,
    complete: Type.Boolean({
      description:
        'False where `force` waived the guarantee or the ledger of a proxy could not be read; `note` says why.',
    }),
    note: Nullable(Type.String()),
    remarks: Type.Array(Text(), {
      description: 'Local data that was lost, data that the old version may not be able to read.',
    }),
    failure: Type.Optional(
      Type.Object(FailureView.properties, {
        description: 'Of an upgrade that did not reach its end; `Interrupted` where another took its place.',
      }),
    ),
    traffic: Type.Array(LedgerRowView),
    totals: Type.Object({
      arrived: Count(),
      answered: Count(),
      refused: Count(),
      clientGone: Count(),
      held: Count(),
      heldMaxMs: Type.Number({ minimum: 0 }),
      replayed: Count(),
      open: Type.Integer(),
      broken: Count(),
      brokenBy: BrokenCounts,
    }),
    domains: Type.Array(
      Type.Object({
        domain: Count(),
        startedAt: Time('Its instances begin to go down.'),
        arrivedAt: Nullable(Time(), 'All of them are there: from now on their health is looked at.'),
        endedAt: Nullable(Time(), 'The gate let the walk go on.'),
        instances: Count(),
      }),
    ),
    latency: Type.Object(
      {
        before: ByVersion,
        during: ByVersion,
        after: Nullable(ByVersion, 'null until 10 s after the end, and where nobody could look then.'),
      },
      {
        description: 'Of answered requests by version: in the 10 s before it, while it ran, in the 10 s after its end.',
      },
    ),
    drained: Nullable(
      Type.Object({
        connections: Count('Requests and tunnels that were on instances when it took them out of rotation.'),
        tunnels: Count('Tunnels that ended while it ran.'),
      }),
      'null where no instance was taken out of rotation.',
    ),
    switchMs: Nullable(
      Type.Number(),
      "Swap only: from the accepted call to the last proxy's acknowledgement of the new table.",
    ),
  },
  { title: 'ReceiptView' },
)
export type ReceiptView = View<typeof ReceiptView>
