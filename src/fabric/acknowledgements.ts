import { hasReached, type Revision } from '../contracts/revision.ts'
import type { Draft } from './draft.ts'
import type { FabricState } from './state.ts'

type Seen = Pick<Draft, 'proxies' | 'observed'>

/**
 * Has every proxy incarnation that may still carry traffic applied the table of `revision`, or a later one?
 * Those are all incarnations not reported exited, silent ones included (design rule 5).
 */
export function allAcknowledged(draft: Seen, revision: Revision): boolean {
  return draft.proxies
    .keys()
    .every(incarnation => hasReached(draft.observed.proxies[incarnation]?.acknowledged ?? null, revision))
}

/** Proxy incarnations that have not acknowledged `revision`, for people. */
export function missingAcknowledgements(state: FabricState, revision: Revision): string[] {
  return Object.keys(state.proxies).filter(
    incarnation => !hasReached(state.observed.proxies[incarnation]?.acknowledged ?? null, revision),
  )
}

/**
 * Requests and tunnels in flight on a target over all proxies, or null while some proxy has not counted since it applied
 * `revision` (an older count may miss a request that chose the target under the older table).
 */
export function inFlightSince(draft: Seen, target: string, revision: Revision): number | null {
  let total = 0
  for (const incarnation of draft.proxies.keys()) {
    const status = draft.observed.proxies[incarnation]?.status ?? null
    if (status === null || !hasReached(status.revision, revision)) return null
    total += status.inFlight[target] ?? 0
  }
  return total
}
