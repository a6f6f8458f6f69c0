import { Type } from 'typebox'
import { ACCESS_ROLES } from '../../core/access-role.ts'
import { OneOf, Text, type View } from './shape.ts'

/** Who asks, as the controller sees it. */
export const CallerView = Type.Object(
  {
    name: Text('Of the token or certificate; `local` where neither is asked for.'),
    role: OneOf(ACCESS_ROLES),
    means: OneOf(['local', 'token', 'certificate'], 'How that is known.'),
  },
  { title: 'CallerView' },
)
export type CallerView = View<typeof CallerView>
