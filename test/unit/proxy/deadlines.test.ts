import t from 'tap'
import { DEFAULT_POLICY } from '../../../src/contracts/routing.ts'
import { overdue } from '../../../proxy/front/deadlines.ts'
import type { ExchangeState } from '../../../proxy/front/sender.ts'
import { EventAnswer } from '../../../proxy/front/event-answer.ts'
import { RequestBody } from '../../../proxy/front/request-body.ts'
import { parseResponseHead } from '../../../proxy/http1/response-head.ts'
import { SilentCaller } from '../../support/silent-caller.ts'

const POLICY = { ...DEFAULT_POLICY, connectTimeoutMs: 10, responseTimeoutMs: 20, idleTimeoutMs: 30 }
const STREAM_IDLE_MS = 100

function body({ complete = true, blocked = false } = {}): RequestBody {
  const made = new RequestBody(new SilentCaller())
  made.complete = complete
  made.blocked = blocked
  return made
}

/** A stream of events, between two of them or within one. */
function events(text: string): EventAnswer | null {
  const head = parseResponseHead('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream', 'GET')
  if (typeof head === 'string') throw new Error(head)
  const stream = EventAnswer.of(head, new SilentCaller())
  stream?.begun(Buffer.from(text), 0, text.length, null)
  return stream
}

void t.test('what is overdue in each state, and when', t => {
  const cases: [ExchangeState, limit: number, what: string | null, body?: RequestBody, stream?: EventAnswer | null][] =
    [
      ['dialling', 10, 'connection'],
      ['sent', 20, 'answer'],
      ['sent', 30, 'body', body({ complete: false })],
      ['sent', 30, 'request-taken', body({ complete: false, blocked: true })],
      ['answering', 30, 'answer-moves'],
      ['answering', 100, 'event', body(), events('data: 1\n\n')],
      ['answering', 100, 'answer-moves', body(), events('data: 1')],
      ['waiting', Infinity, null],
      ['tunnel', Infinity, null],
      ['ended', Infinity, null],
    ]
  for (const [state, limit, what, of = body(), stream = null] of cases) {
    const at = (waited: number): string | null => overdue(state, waited, POLICY, of, stream, STREAM_IDLE_MS)
    const name = `${state}: ${what ?? 'nothing'}`
    if (what === null) t.equal(at(1e9), null, name)
    else t.same([at(limit), at(limit + 1)], [null, what], name)
  }
  t.end()
})
