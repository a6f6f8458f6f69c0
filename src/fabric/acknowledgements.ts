import { hasReached, type Revision } from '../contracts/revision.ts'
import type { Draft } from './draft.ts'
import type { FabricState } from './state.ts'

type Seen = Pick<Draft, 'proxies' | 'observed'>

/**
 * Has every proxy incarnation that may still carry traffic applied the table of `revision`, or a later one?
 * Those are all incarnations not reported exited, silent ones included (design rule 5); `forced`: without the silent ones.
 */
export function allAcknowledged(draft: Seen, revision: Revision, forced = false): boolean {
  return draft.proxies
    .keys()
    .filter(incarnation => !forced || !isSilent(draft, incarnation))
    .every(incarnation => hasReached(draft.observed.proxies[incarnation]?.acknowledged ?? null, revision))
}

function isSilent({ observed }: Pick<Draft, 'observed'>, incarnation: string): boolean {
  return observed.proxies[incarnation]?.online !== true
}

/** Has an operator waived the word of silent peers for what is done to this deployment? */
export function isForced(draft: Pick<Draft, 'operations'>, deployment: string): boolean {
  for (const { status, waived, deployments } of draft.operations.values())
    if (waived !== undefined && status === 'InProgress' && deployments.includes(deployment)) return true
  return false
}

/** Proxy incarnations not reported exited that are not connected. */
export function silentProxies(draft: Seen): string[] {
  return draft.proxies.keys().filter(incarnation => isSilent(draft, incarnation))
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
export function inFlightSince(draft: Seen, target: string, revision: Revision, forced = false): number | null {
  let total = 0
  for (const incarnation of draft.proxies.keys()) {
    if (forced && isSilent(draft, incarnation)) continue
    const status = draft.observed.proxies[incarnation]?.status ?? null
    if (status === null || !hasReached(status.revision, revision)) return null
    total += status.inFlight[target] ?? 0
  }
  return total
}
