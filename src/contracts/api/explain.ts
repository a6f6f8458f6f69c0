import { Type } from 'typebox'
import { InstanceView } from './instance.ts'
import { OneOf, Text, type View } from './shape.ts'
import { HEALTH_STATES } from '../../model/states.ts'

/** Why an instance is as it is. */
export const ExplainView = Type.Object(
  {
    instance: InstanceView,
    reasons: Type.Array(Text(), { description: 'In words, what matters most first.' }),
    health: Type.Array(Type.Object({ state: OneOf(HEALTH_STATES), description: Text() }), {
      description: 'What aggregated health says of it.',
    }),
    log: Type.Array(Text(), { description: 'The last lines it wrote.' }),
  },
  { title: 'ExplainView' },
)
export type ExplainView = View<typeof ExplainView>
