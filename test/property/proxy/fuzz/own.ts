import '../../../../proxy/http1/octets.ts'
import { Peer } from '../../../../proxy/connections/peer.ts'
import { BodyWalker } from '../../../../proxy/http1/body-walker.ts'
import { responseHeadText } from '../../../../proxy/http1/forwarded-answer.ts'
import { requestHeadText } from '../../../../proxy/http1/forwarded-request.ts'
import { HEAD_END } from '../../../../proxy/http1/grammar.ts'
import { isBrokenRequest, isBrokenResponse } from '../../../../proxy/http1/partial-head.ts'
import { parseRequestHead } from '../../../../proxy/http1/request-head.ts'
import { RequestMemo } from '../../../../proxy/http1/request-memo.ts'
import { parseResponseHead } from '../../../../proxy/http1/response-head.ts'
import { ResponseMemo } from '../../../../proxy/http1/response-memo.ts'
import { comparable, pairs, type Message, type Reading } from './message.ts'

const PEER = new Peer({ address: '192.0.2.1', port: 1024, localAddress: '192.0.2.2', localPort: 80 }, null)
const REQUEST_ID = '0af7651916cd43dd8448eb211c80319c'

/** What the proxy's own parser makes of some octets, and what it would send on (latin1). */
export interface OwnReading extends Reading {
  readonly forwarded: readonly string[]
  /** Where the message begins at which it stopped. */
  readonly at: number
}

/** What came before in other connections, too, may not matter. */
const requestMemo = new RequestMemo()
const responseMemo = new ResponseMemo()

function remembered<T>(byMemo: T, itself: T): T {
  if (JSON.stringify(byMemo) !== JSON.stringify(itself)) throw new Error('the memo says something else than the parser')
  return byMemo
}

/** Walks a body that comes in pieces ending at `cuts`: its content and its end, or why there is none. */
function walk(
  walker: BodyWalker,
  bytes: Buffer,
  start: number,
  cuts: readonly number[],
): { end: number; content: string } {
  let at = start
  let content = ''
  walker.payload = []
  for (const cut of [...cuts.filter(one => one > start && one < bytes.length), bytes.length]) {
    if (walker.done || walker.failed) break
    const stop = walker.walk(bytes, at, cut)
    const ranges = walker.payload
    for (let n = 0; n < ranges.length; n += 2) content += bytes.latin1Slice(ranges[n] ?? 0, ranges[n + 1] ?? 0)
    at = stop
  }
  return { end: at, content }
}

/** All requests of one connection, read in pieces that end at `cuts`. */
export function readOwnRequests(text: string, cuts: readonly number[] = []): OwnReading {
  const bytes = Buffer.from(text, 'latin1')
  const messages: Message[] = []
  const forwarded: string[] = []
  let at = 0
  const refused = (why: string): OwnReading => ({ messages, why, forwarded, at })
  const whole = (): OwnReading => ({ messages, why: null, forwarded, at })
  for (;;) {
    while (text.startsWith('\r\n', at)) at += 2
    const headEnd = text.indexOf(HEAD_END, at)
    if (headEnd === -1) {
      const part = text.slice(at)
      return part !== '' && isBrokenRequest(part, 0) ? refused('malformed start') : whole()
    }
    const head = remembered(
      requestMemo.parse(text.slice(at, headEnd), 100),
      parseRequestHead(text.slice(at, headEnd), 100),
    )
    if ('status' in head) return refused(head.detail)
    const walker = new BodyWalker()
    walker.start(head.body, head.length)
    const { end, content } = walk(walker, bytes, headEnd + 4, cuts)
    if (walker.failed) return refused('broken chunked framing')
    if (!walker.done) return whole()
    const fields = comparable(pairs(head.fields))
    messages.push({ start: `${head.method} ${head.target}`, fields, body: content })
    forwarded.push(requestHeadText(head, PEER, false, false, REQUEST_ID) + text.slice(headEnd + 4, end))
    if (!head.keepAlive) return whole()
    at = end
  }
}

/** The first final answer of one connection to a request by `method`; the instance closes after `text`. */
export function readOwnAnswer(text: string, method: string, cuts: readonly number[] = []): OwnReading {
  const bytes = Buffer.from(text, 'latin1')
  const nothing = { messages: [], forwarded: [], at: 0 }
  let at = 0
  for (;;) {
    const headEnd = text.indexOf(HEAD_END, at)
    if (headEnd === -1) {
      const part = text.slice(at)
      return { ...nothing, why: isBrokenResponse(part, 0) ? 'malformed start' : null }
    }
    const head = remembered(
      responseMemo.parse(text.slice(at, headEnd), method),
      parseResponseHead(text.slice(at, headEnd), method),
    )
    if (typeof head === 'string') return { ...nothing, why: head }
    if (head.status === 101) return { ...nothing, why: 'a switch of protocols nobody asked for' }
    at = headEnd + 4
    if (head.status < 200) {
      nothing.at = at
      continue
    }
    const walker = new BodyWalker()
    walker.start(head.body, head.length)
    const { end, content } = walk(walker, bytes, at, cuts)
    if (walker.failed) return { ...nothing, why: 'broken chunked framing' }
    if (!walker.done && head.body !== 'close') return { ...nothing, why: null }
    const message = { start: String(head.status), fields: comparable(pairs(head.fields)), body: content }
    const sent = responseHeadText(head, { http10: false, close: head.body === 'close', exposed: null })
    return { messages: [message], why: null, forwarded: [sent + text.slice(at, end)], at }
  }
}
