import { Type } from 'typebox'
import { Count, Nullable, OneOf, Text, type View } from './shape.ts'

export const NodeView = Type.Object(
  {
    name: Text(),
    status: OneOf(['online', 'offline']),
    use: OneOf(
      ['open', 'draining', 'drained', 'lost'],
      '`lost`: silent beyond nodeTimeout, or back and not yet rid of what was moved away.',
    ),
    faultDomain: Count(),
    upgradeDomain: Nullable(Count(), 'null where it declares none.'),
    instances: Count(),
    host: Text(),
    confines: Type.Array(Text(), {
      description:
        'What it holds role processes to: `no-new-privileges`, `users`, `groups` (what leaves its process group is found), `memory`, `cpu`.',
    }),
  },
  { title: 'NodeView' },
)
export type NodeView = View<typeof NodeView>
