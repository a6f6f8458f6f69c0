import { Type } from 'typebox'
import { BrokenCounts, LedgerRowView } from './ledger.ts'
import { OperationView } from './operation.ts'
import { Count, Nullable, Text, Time, type View } from './shape.ts'

const Named = Type.Record(Type.String(), Nullable(Type.String()))

/** Kept with each ended operation. Times are ISO 8601, durations milliseconds. */
export const ReceiptView = Type.Object(
  {
    operation: OperationView,
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
      Type.Object({ domain: Count(), startedAt: Time(), endedAt: Nullable(Time()), instances: Count() }),
    ),
    switchMs: Nullable(
      Type.Number(),
      "Swap only: from the accepted call to the last proxy's acknowledgement of the new table.",
    ),
  },
  { title: 'ReceiptView' },
)
export type ReceiptView = View<typeof ReceiptView>
