import { Type } from 'typebox'
import { DURATION_PATTERN } from '../core/duration.ts'

/** Names of services, roles, endpoints, settings folders: they end up in host names, file names and variables. */
export const NAME_PATTERN = '^[A-Za-z][A-Za-z0-9_-]{0,62}$'

export const Name = (description: string) => Type.String({ pattern: NAME_PATTERN, description })
export const Duration = (description: string, fallback?: string) =>
  Type.String({ pattern: DURATION_PATTERN, description, ...(fallback === undefined ? {} : { default: fallback }) })
export const Port = (description: string) => Type.Integer({ minimum: 0, maximum: 65535, description })
export const Size = (description: string, fallback?: string) =>
  Type.String({
    pattern: '^\\d+(B|KB|KiB|MB|MiB|GB|GiB)$',
    description,
    ...(fallback === undefined ? {} : { default: fallback }),
  })

const closed = { additionalProperties: false }
export { closed }

export type Slot = 'production' | 'staging'
export const SLOTS = ['production', 'staging'] as const satisfies readonly Slot[]

export function otherSlot(slot: Slot): Slot {
  return slot === 'production' ? 'staging' : 'production'
}
