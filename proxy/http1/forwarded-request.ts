import type { Peer } from '../connections/peer.ts'
import { appendedForwardingFields, ownForwardingFields } from './forwarding-fields.ts'
import { randomDigits } from './random-digits.ts'
import type { RequestHead } from './request-head.ts'

/** W3C Trace Context: version, trace, span, flags; of a later version perhaps more. One that is broken starts a new trace. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?$/

/** What a request is called: by a proxy before this one if that is trusted, else by 32 random digits. */
export function requestIdOf(head: RequestHead, trusted: boolean): string {
  const earlier = (trusted ? head.before : null)?.['x-request-id'] ?? ''
  return earlier === '' ? randomDigits(32) : earlier
}

/**
 * The heads of one connection's requests as instances get them. Requests mostly repeat the fields of the one before: what
 * follows from those is put together once.
 */
export class ForwardedRequests {
  readonly #peer: Peer
  #host = ''
  #fields = ''
  #forwarded = false
  /** From after the target to the request id: of `#host`, `#fields` and `#forwarded`. */
  #front = ''

  constructor(peer: Peer) {
    this.#peer = peer
  }

  /**
   * The head to send, with its closing empty line. Without a line for the body's framing: `fields` has it. `trusted`: the
   * peer is a proxy whose fields are kept and appended to; `forwarded`: `Forwarded` (RFC 7239) is wanted too.
   */
  text(head: RequestHead, trusted: boolean, forwarded: boolean, requestId: string): string {
    const before = trusted ? head.before : null
    const front = before === null ? this.#frontOf(head, forwarded) : this.#frontBehind(head, before, forwarded)
    const via = this.#peer.httpVersion === '2.0' ? '2.0' : head.minorVersion === '1' ? '1.1' : `1.${head.minorVersion}`
    return `${head.method} ${head.target}${front}${requestId}\r\n${traceOf(head, before, requestId)}Via: ${via}${endOf(head)}`
  }

  #frontOf({ host, fields }: RequestHead, forwarded: boolean): string {
    if (this.#front !== '' && fields === this.#fields && host === this.#host && forwarded === this.#forwarded) {
      return this.#front
    }
    const name = this.#hostOr(host)
    this.#host = host
    this.#fields = fields
    this.#forwarded = forwarded
    return (this.#front = frontText(name, fields, ownForwardingFields(this.#peer, name, forwarded)))
  }

  #frontBehind({ host, fields }: RequestHead, before: NonNullable<RequestHead['before']>, forwarded: boolean): string {
    const name = this.#hostOr(host)
    return frontText(name, fields, appendedForwardingFields(this.#peer, name, forwarded, before))
  }

  /** A `Host` that is missing in HTTP/1.0 is the address that was asked. */
  #hostOr(host: string): string {
    return host === '' ? this.#peer.localHost : host
  }
}

function frontText(host: string, fields: string, forwarding: string): string {
  return ` HTTP/1.1\r\nHost: ${host}\r\n${fields}${forwarding}X-Request-ID: `
}

/** `before`: what is to be believed of it. */
function traceOf(head: RequestHead, before: RequestHead['before'], requestId: string): string {
  const parent = before?.['traceparent']
  if (parent === undefined || !TRACEPARENT.test(parent)) {
    // An id that a proxy before this one gave may be anything.
    const trace = head.before !== null && head.before['x-request-id'] === requestId ? randomDigits(32) : requestId
    return `traceparent: 00-${trace}-${randomDigits(16)}-00\r\n`
  }
  const state = before?.['tracestate']
  return `traceparent: ${parent}\r\n${state === undefined ? '' : `tracestate: ${state}\r\n`}`
}

function endOf({ expectContinue, upgrade }: RequestHead): string {
  if (!expectContinue && upgrade === null) return ' vipswap\r\n\r\n'
  return (
    ` vipswap\r\n${expectContinue ? 'Expect: 100-continue\r\n' : ''}` +
    (upgrade === null ? '\r\n' : `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`)
  )
}
