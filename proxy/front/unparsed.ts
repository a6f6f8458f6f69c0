import type { Peer } from '../connections/peer.ts'
import type { Plane } from './plane.ts'

/** What came of a request that never became one. */
export interface Unparsed {
  /** Key of the address it came in by. */
  readonly address: string
  readonly peer: Peer
  /** What there is of its head. */
  readonly text: string
  /** Of the answer; 0: the client left before the head was whole, so that there is none. */
  readonly status: number
  /** When it began to come, in monotonic milliseconds. */
  readonly since: number
}

/** Counts it as arrived and refused at the address's first listener, if it is answered, and logs it. */
export function noteUnparsed(plane: Plane, { address, peer, text, status, since }: Unparsed): void {
  const listener = plane.snapshot.sites.get(address)?.first.listener
  if (status > 0 && listener !== undefined) plane.ledger.refused(listener.key, status)
  if (plane.accessLog === null) return
  const { key: vip = '', service = '', slot = null } = listener ?? {}
  plane.accessLog.writeUnparsed(text, status, { vip, service, slot, peer, durationMs: performance.now() - since })
}
