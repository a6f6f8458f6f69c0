import { Type } from 'typebox'
import { Count, Nullable, OneOf, Text, Time, type View } from './shape.ts'

const Keys = (description: string) => Type.Array(Type.String(), { description })

/** A journal that was put back after damage, and what accepting it would do. */
export const RecoveryView = Type.Object(
  {
    state: OneOf(
      ['held', 'publishing', 'comparing'],
      '`held`: nobody is told anything until it is accepted. Then proxies get their table, and after them each node its instances.',
    ),
    at: Time(),
    found: Text('What was wrong with the journal.'),
    aside: Text('Where the damaged pieces lie.'),
    snapshotTakenAt: Time(),
    commit: Count('The newest that is there.'),
    lost: Type.Object({
      from: Count('The first acknowledged commit that is not there.'),
      to: Nullable(Count(), 'The last; null: nothing tells how many there were.'),
    }),
    stops: Keys('Runs now and is not recorded: accepting stops it and removes its folders.'),
    keeps: Keys('Runs as a lost change left it: accepting lets it serve on.'),
    starts: Keys('Recorded and not running: accepting starts it.'),
    silentNodes: Keys('Have not reported: each is compared when it does.'),
  },
  { title: 'RecoveryView' },
)
export type RecoveryView = View<typeof RecoveryView>

export const RecoveryAnswer = Type.Object({ recovery: Nullable(RecoveryView, 'null: the journal is whole.') })
export type RecoveryAnswer = View<typeof RecoveryAnswer>
