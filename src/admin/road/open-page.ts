import type { FastifyRequest } from 'fastify'
import { rootOf } from './address.ts'
import type { Place, RoadKeys } from './keys.ts'
import { ownOrigin } from './own-name.ts'

/**
 * Makes an instance's pages reachable for the browser of a request: `base` stands before the paths of the instance, and is
 * an origin of its own where it can be one, else a path of this host. `expiresAt` in Unix milliseconds.
 */
export function openPage(
  keys: RoadKeys,
  place: Place,
  { raw, caller }: Pick<FastifyRequest, 'raw' | 'caller'>,
): { base: string; expiresAt: number } {
  const { key, expiresAt } = keys.make(place, caller, Date.now())
  return { base: ownOrigin(raw, key) ?? `${rootOf(place)}/~${key}`, expiresAt }
}
