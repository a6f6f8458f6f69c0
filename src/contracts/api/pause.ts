import { Type, type Static } from 'typebox'
import { Duration } from '../../model/common.ts'
import { closed } from './shape.ts'

/** How long a pause lasts where nothing is said, and at most. */
export const PAUSE = { defaultMs: 30_000, maxMs: 300_000 } as const

export const PauseBody = Type.Object(
  { timeout: Type.Optional(Duration('Held requests are let go after this long, at most 5m.', '30s')) },
  closed,
)
export type PauseBody = Static<typeof PauseBody>
