import { STATUS_CODES } from 'node:http'
import type { DataPlaneLimits } from '../../src/contracts/routing.ts'
import { dateText } from './date.ts'

/** Error types of RFC 9209 section 2.3 that this proxy gives. */
export type ProxyError =
  | 'http_request_error'
  | 'http_request_denied'
  | 'destination_unavailable'
  | 'destination_not_found'
  | 'connection_refused'
  | 'connection_timeout'
  | 'connection_terminated'
  | 'http_protocol_error'
  | 'http_response_timeout'
  | 'connection_limit_reached'
  | 'proxy_internal_error'

type MaintenancePage = NonNullable<DataPlaneLimits['maintenancePage']>

export interface OwnAnswer {
  readonly status: number
  readonly error: ProxyError
  /** In words, for the body and for `Proxy-Status`. */
  readonly detail: string
  /** The body instead of one line of text. */
  readonly page?: MaintenancePage | null
}

/** The whole text of an answer the proxy gives by itself, with `Proxy-Status` (RFC 9209). */
export function ownAnswerText(answer: OwnAnswer, options: { close: boolean; noBody: boolean }): string {
  const { status, error } = answer
  // Only what a quoted string and a text body can carry.
  const detail = plain(answer.detail).replaceAll(/["\\]/g, "'")
  const { type, body } = bodyOf(answer, detail)
  let text =
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\n` +
    `Date: ${dateText()}\r\n` +
    `Content-Type: ${type}\r\n` +
    `Content-Length: ${body.length}\r\n` +
    'Cache-Control: no-store\r\n' +
    (status < 400 ? 'Proxy-Status: vipswap\r\n' : `Proxy-Status: vipswap; error=${error}; details="${detail}"\r\n`)
  if (status === 503) text += 'Retry-After: 1\r\n'
  if (status === 405 || status < 400) text += 'Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n'
  if (options.close) text += 'Connection: close\r\n'
  return options.noBody ? `${text}\r\n` : `${text}\r\n${body}`
}

/** Its octets as latin1, one character each. */
function bodyOf({ status, page }: OwnAnswer, detail: string): { type: string; body: string } {
  if (page !== null && page !== undefined) {
    return { type: plain(page.contentType), body: Buffer.from(page.body, 'utf8').toString('latin1') }
  }
  return { type: 'text/plain; charset=utf-8', body: `${status} ${STATUS_CODES[status] ?? 'Error'}: ${detail}\n` }
}

function plain(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?')
}
