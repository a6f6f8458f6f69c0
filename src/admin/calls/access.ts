import { CallerView } from '../../contracts/api/caller.ts'
import { reading } from './call.ts'

export const WHO_AM_I = reading({
  id: 'whoAmI',
  tag: 'system',
  summary: 'Who you are to the controller, and in which role.',
  schema: CallerView,
  example: { name: 'alice', role: 'operator', means: 'token' },
})
