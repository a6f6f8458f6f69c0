import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const USABLE = /^[\w.:/+=-]{1,128}$/

/** The caller's `X-Request-ID` where it is fit for a log line, else a new one. Every answer and log line of a call has it. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && USABLE.test(given) ? given : randomUUID()
}
