import { serviceOf } from '../../src/model/ledger-row.ts'
import type { Peer } from '../connections/peer.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { Account, Outcome } from '../ledger/account.ts'
import type { Route } from '../routing/snapshot.ts'
import type { TargetState } from '../routing/target.ts'
import { endingOf, type Phase } from './endings.ts'
import type { AccessEntry } from './entry.ts'

/** What the request itself says. */
type Asked = Pick<AccessEntry, 'protocol' | 'method' | 'host' | 'target' | 'fields' | 'forwardedFor' | 'requestId'>

export const TCP: Asked = {
  protocol: 'TCP',
  method: '',
  host: '',
  target: '',
  fields: '',
  forwardedFor: null,
  requestId: '',
}

/** What a request said; what a trusted proxy said of it before is believed. */
export function askedBy(
  head: RequestHead,
  { payloadOnly, trusted, requestId }: { payloadOnly: boolean; trusted: boolean; requestId: string },
): Asked {
  return {
    protocol: head.http10 ? 'HTTP/1.0' : payloadOnly ? 'HTTP/2' : 'HTTP/1.1',
    method: head.method,
    host: head.host,
    target: head.target,
    fields: head.fields,
    forwardedFor: (trusted ? head.before : null)?.['x-forwarded-for'] ?? null,
    requestId,
  }
}

/** The log's entry of what ends now. */
export function entryOf(
  asked: Asked,
  {
    account,
    peer,
    route,
    target,
    outcome,
    phase,
    endedBy,
  }: {
    account: Account
    peer: Peer
    route: Route | null
    target: TargetState | null
    outcome: Outcome
    phase: Phase
    endedBy: 'client' | 'instance' | 'drain' | null
  },
): AccessEntry {
  const now = performance.now()
  return {
    vip: account.vip,
    service: account.vip === '' ? '' : serviceOf(account.vip),
    slot: route?.listener.slot ?? null,
    peer,
    protocol: asked.protocol,
    method: asked.method,
    host: asked.host,
    target: asked.target,
    fields: asked.fields,
    forwardedFor: asked.forwardedFor,
    status: account.status,
    outcome,
    ending: endingOf(outcome, phase, account.status, endedBy),
    bytesIn: account.bytesIn,
    bytesOut: account.bytesOut,
    durationMs: now - account.arrivedAt,
    firstByteMs: account.headAt === 0 ? null : account.headAt - account.arrivedAt,
    upstreamMs: account.chosenAt === 0 ? null : now - account.chosenAt,
    heldMs: account.heldMs,
    replays: account.replays,
    instance: target,
    requestId: asked.requestId,
  }
}
