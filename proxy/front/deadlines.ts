import type { PoolPolicy } from '../../src/contracts/routing.ts'
import type { EventAnswer } from './event-answer.ts'
import type { RequestBody } from './request-body.ts'
import type { ExchangeState } from './sender.ts'

/** What a request has waited for too long: a connection, its own body, what the instance or the client is to do, or an event. */
export type Overdue = 'connection' | 'body' | 'request-taken' | 'answer' | 'answer-moves' | 'event'

/**
 * What is overdue in `state` once nothing has moved for `waited` milliseconds; null: nothing. `stream`: the answer is a stream
 * of events of which the client has taken all, so that silence between two of them is no fault for `streamIdleMs`. A tunnel
 * has clocks of its own, a line's and a gate's waiting are their owners'.
 */
export function overdue(
  state: ExchangeState,
  waited: number,
  { connectTimeoutMs, responseTimeoutMs, idleTimeoutMs }: PoolPolicy,
  body: RequestBody,
  stream: EventAnswer | null,
  streamIdleMs: number,
): Overdue | null {
  switch (state) {
    case 'dialling':
      return waited > connectTimeoutMs ? 'connection' : null
    case 'sent':
      if (body.complete) return waited > responseTimeoutMs ? 'answer' : null
      if (waited <= idleTimeoutMs) return null
      return body.blocked ? 'request-taken' : 'body'
    case 'answering':
      if (stream !== null && waited <= streamIdleMs) return null
      if (stream !== null && stream.atBoundary) return 'event'
      return waited > idleTimeoutMs ? 'answer-moves' : null
    case 'waiting':
    case 'tunnel':
    case 'ended':
      return null
  }
}
