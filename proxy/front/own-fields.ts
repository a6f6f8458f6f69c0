import { setCookieLine } from '../balancing/affinity-cookie.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import type { Account } from '../ledger/account.ts'
import type { Route } from '../routing/snapshot.ts'
import type { TargetState } from '../routing/target.ts'

interface Asked {
  readonly account: Account
  /** The token in the client's affinity cookie; '' where it has none. */
  readonly wanted: string
  readonly secure: boolean
}

/** The head of an instance's answer as its client gets it, where its route adds fields. */
export function withOwnFields(head: ResponseHead, route: Route, target: TargetState, asked: Asked): ResponseHead {
  const { cookie, listener } = route
  let fields = ''
  // With a cookie where the client is to stay with another instance than it said.
  if (cookie !== null && asked.wanted !== target.token) {
    if (asked.wanted !== '') target.pool.counts.affinityMoved++
    fields += setCookieLine(cookie, target.token, asked.secure)
  }
  if (listener.options.serverTiming === true) fields += timingLine(asked.account)
  return fields === '' ? head : { ...head, text: '', fields: head.fields + fields }
}

/** Empty for what is no answer yet (101). */
function timingLine({ arrivedAt, chosenAt, headAt, heldMs }: Account): string {
  if (headAt === 0) return ''
  const hold = heldMs === 0 ? '' : `, hold;dur=${heldMs.toFixed(1)}`
  const own = Math.max(0, chosenAt - arrivedAt - heldMs)
  return `Server-Timing: proxy;dur=${own.toFixed(1)}${hold}, upstream;dur=${(headAt - chosenAt).toFixed(1)}\r\n`
}
