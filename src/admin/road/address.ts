import { VipswapError } from '../../core/errors.ts'
import type { Slot } from '../../model/slot.ts'

const ROUTE =
  /^(\/v1\/services\/([^/?]+)\/slots\/(production|staging)\/instances\/([^/?]+)\/proxy)(\/~([a-z2-7]{26})(?=[/?]|$))?(\/[^?]*)?(\?.*)?$/

/** Where a URL of the road leads. */
export interface RoadAddress {
  readonly service: string
  readonly slot: Slot
  readonly instance: string
  /** What stands before the instance's own path, without the key: `/v1/…/proxy`. */
  readonly root: string
  /** null: none is in it, so the caller has to show who he is. */
  readonly key: string | null
  /** At the instance, with its query; begins with a slash. */
  readonly path: string
}

/** Reads the URL of a request as it came; null: it is not of the road. Throws `invalid_request` for a bad escape. */
export function readRoadAddress(url: string): RoadAddress | null {
  const [, root = '', service = '', slot, instance = '', , key = null, path = '/', query = ''] = ROUTE.exec(url) ?? []
  if (slot !== 'production' && slot !== 'staging') return null
  return { service: decode(service), slot, instance: decode(instance), root, key, path: path + query }
}

/** Where the road to an instance begins: `/v1/…/proxy`. */
export function rootOf({ service, slot, instance }: Pick<RoadAddress, 'service' | 'slot' | 'instance'>): string {
  return `/v1/services/${encodeURIComponent(service)}/slots/${slot}/instances/${encodeURIComponent(instance)}/proxy`
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new VipswapError('invalid_request', `"${part}" is not a valid part of a path`)
  }
}
