import { Type } from 'typebox'
import { Nullable, OneOf, type View } from './shape.ts'

export const UpgradeClockView = Type.Object(
  {
    name: OneOf(
      ['wait', 'stable', 'retry', 'domain', 'upgrade'],
      "The first three are one stopwatch of a domain's health check, in turn; the others are time-outs.",
    ),
    elapsedMs: Type.Number({ minimum: 0 }),
    limitMs: Nullable(Type.Number({ minimum: 0 }), 'null: it never ends anything.'),
    running: Type.Boolean({ description: 'It goes on by itself.' }),
  },
  { title: 'UpgradeClockView' },
)
/** One clock of a monitored upgrade. */
export type UpgradeClockView = View<typeof UpgradeClockView>
