import { isIdempotent } from '../http1/idempotent.ts'
import type { UpstreamFailure } from '../upstream/answer-sink.ts'
import type { RequestBody } from './request-body.ts'

/**
 * A request of which something was sent may be sent again, before any byte of an answer: if the instance said that it did
 * nothing for it and what was sent is still here; or if its method is idempotent and all of it is still here.
 */
export function mayResend(method: string, body: RequestBody, failure: UpstreamFailure): boolean {
  if (failure.untouched === true) return body.intact
  return isIdempotent(method) && body.replayable && failure.cause !== 'bad-response'
}
