import type { Slot } from '../../src/model/slot.ts'
import type { Peer } from '../connections/peer.ts'
import type { Outcome } from '../ledger/account.ts'

// Longest texts in a line, in octets as they came.
export const MAX_TARGET = 2048
export const MAX_FIELD = 256
export const MAX_METHOD = 32

/** One line of the access log, before it is written. Texts are as they came, one character an octet. Times in milliseconds. */
export interface AccessEntry {
  /** Listener key; '' where no listener could be told. */
  readonly vip: string
  readonly service: string
  readonly slot: Slot | null
  readonly peer: Peer
  /** `HTTP/1.1`, `HTTP/2`, `TCP`. */
  readonly protocol: string
  readonly method: string
  readonly host: string
  readonly target: string
  /** Field lines, each with CRLF, to find `User-Agent` and `Referer` in. */
  readonly fields: string
  /** X-Forwarded-For of a trusted proxy. */
  readonly forwardedFor: string | null
  /** 0: nothing was answered. */
  readonly status: number
  readonly outcome: Outcome
  readonly ending: string
  readonly bytesIn: number
  readonly bytesOut: number
  readonly durationMs: number
  /** To the head of the answer; null: none came. */
  readonly firstByteMs: number | null
  /** Since the last instance was chosen; null: none was. */
  readonly upstreamMs: number | null
  readonly heldMs: number
  readonly replays: number
  readonly instance: { readonly instance: string; readonly deployment: string; readonly version: string } | null
  /** '' where nothing was sent on. */
  readonly requestId: string
}

/** The status as logs have it: 499 where the client left before it was answered. */
export function loggedStatus({ status, outcome }: AccessEntry): number | null {
  if (status > 0) return status
  return outcome === 'client-gone' ? 499 : null
}

/** The value of a field in lines that each end with CRLF; '' where there is none. `name` has its colon and is lower-case. */
export function fieldIn(lines: string, name: string): string {
  for (let at = 0; at < lines.length;) {
    const end = lines.indexOf('\r\n', at)
    if (end === -1) break
    if (lines[at + name.length - 1] === ':' && lines.slice(at, at + name.length).toLowerCase() === name) {
      return lines.slice(at + name.length, end).trim()
    }
    at = end + 2
  }
  return ''
}
