import type { BlockList } from 'node:net'
import { isListed, type Peer } from '../connections/peer.ts'
import type { RequestHead } from '../http1/request-head.ts'

/** The address of the client itself: the nearest one on the way that is no trusted proxy. */
export function clientAddress(head: RequestHead, peer: Peer, trusted: BlockList | null): string {
  const earlier = head.before?.['x-forwarded-for']
  if (trusted === null || earlier === undefined || !peer.isTrustedBy(trusted)) return peer.address
  let nearest = peer.address
  for (const element of earlier.split(',').reverse()) {
    nearest = element.trim()
    if (!isListed(trusted, nearest)) break
  }
  return nearest
}

/** The client speaks TLS, as far as the peer may be believed. */
export function clientIsSecure(head: RequestHead, peer: Peer, trusted: BlockList | null): boolean {
  const earlier = head.before?.['x-forwarded-proto']
  return earlier !== undefined && peer.isTrustedBy(trusted) ? earlier.toLowerCase() === 'https' : peer.secure
}
