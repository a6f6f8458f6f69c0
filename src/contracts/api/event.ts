import { Type } from 'typebox'
import { Count, Text, Time, type View } from './shape.ts'
import { SlotName } from './slot.ts'

/** One line of the timeline, `GET /v1/events` as SSE with `id:` = seq, `event:` = kind, `data:` = this as JSON. */
export const EventView = Type.Object(
  {
    seq: Count(),
    at: Time(),
    kind: Text(),
    service: Type.Optional(Text()),
    slot: Type.Optional(SlotName),
    deployment: Type.Optional(Text()),
    instance: Type.Optional(Text()),
    operation: Type.Optional(Text()),
    domain: Type.Optional(Count()),
    message: Text(),
  },
  { title: 'EventView' },
)
export type EventView = View<typeof EventView>

/** `event: gap`, first and without an `id:`: so many events after number `after` are not kept any more. */
export interface GapView {
  readonly kind: 'gap'
  readonly after: number
  readonly missed: number
}
