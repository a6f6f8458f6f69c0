import { hasReached, type Revision } from '../contracts/revision.ts'
import type { Draft } from './draft.ts'
import type { FabricState } from './state.ts'
import type { OperationRecord } from './operation-record.ts'

type Seen = Pick<Draft, 'proxies' | 'observed'>

/** Proxy incarnations that were silent when an operation was forced. */
export type Waived = ReadonlySet<string>

const NOBODY: Waived = new Set()

/**
 * Has every proxy incarnation that may still carry traffic applied the table of `revision`, or a later one?
 * Those are all incarnations not reported exited, silent ones included (design rule 5); without
 * those in `waived`, while they are silent.
 */
export function allAcknowledged(draft: Seen, revision: Revision, waived = NOBODY): boolean {
  return draft.proxies
    .keys()
    .filter(incarnation => !waived.has(incarnation) || !isSilent(draft, incarnation))
    .every(incarnation => hasReached(draft.observed.proxies[incarnation]?.acknowledged ?? null, revision))
}

function isSilent({ observed }: Pick<Draft, 'observed'>, incarnation: string): boolean {
  return observed.proxies[incarnation]?.online !== true
}

/**
 * Whose word an operator has waived for what is done to this deployment: the proxies that were silent then. Others that fall
 * silent later are waited for, so all of them after a restart of the controller. null: nothing is forced.
 */
export function waivedFor(draft: Pick<Draft, 'operations'>, deployment: string): Waived | null {
  let waived: Set<string> | null = null
  for (const operation of draft.operations.values()) {
    if (operation.waived === undefined || operation.status !== 'InProgress') continue
    if (operation.deployments.includes(deployment)) waived = new Set([...(waived ?? []), ...waivedProxies(operation)])
  }
  return waived
}

/** The proxies that were silent when this operation was forced. */
export function waivedProxies({ waived = [] }: Readonly<Pick<OperationRecord, 'waived'>>): Waived {
  return new Set(waived.flatMap(peer => (peer.startsWith(PROXY) ? [peer.slice(PROXY.length)] : [])))
}

/** How an operation's record names a proxy whose word was waived. */
export const PROXY = 'proxy '

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
export function inFlightSince(draft: Seen, target: string, revision: Revision, waived = NOBODY): number | null {
  let total = 0
  for (const incarnation of draft.proxies.keys()) {
    if (waived.has(incarnation) && isSilent(draft, incarnation)) continue
    const status = draft.observed.proxies[incarnation]?.status ?? null
    if (status === null || !hasReached(status.revision, revision)) return null
    total += status.inFlight[target] ?? 0
  }
  return total
}
