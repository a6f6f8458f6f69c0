import type { IncomingMessage } from 'node:http'
import type { Caller } from '../access/caller.ts'
import type { Guard } from '../access/guard.ts'
import { readRoadAddress } from './address.ts'
import type { RoadKeys } from './keys.ts'
import { keyInHost } from './own-name.ts'

/**
 * Who asks an instance: whoever shows who he is, or the maker of the key in the address. Throws as `Guard.admit`, and
 * `forbidden` for a key that is none of this instance.
 */
export function admitToRoad(guard: Guard, keys: RoadKeys, request: IncomingMessage): Caller {
  const address = readRoadAddress(request.url ?? '')
  // What an instance does with a request only it knows, so a GET may change something.
  if (address === null || address.key === null) return guard.admit({ request, open: false, acts: true })
  const findMaker = (): Caller => keys.makerOf(address, Date.now())
  return guard.admitFor(request, { findMaker, ownName: keyInHost(request) === address.key })
}
