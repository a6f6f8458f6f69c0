// Raw-byte cases are data: what a client or an instance writes, and what the other side must then have, to the byte.

/** What breaks if a case fails: safety of the next request, a MUST of the RFC, or a SHOULD and good manners. */
export type Level = 'critical' | 'must' | 'should'

interface Named {
  readonly id: string
  readonly level: Level
  /** The sentence it rests on: RFC and section, or the class of attack. */
  readonly rule: string
}

/** Bytes of one client connection (latin1), and what is to become of them. */
export interface RequestCase extends Named {
  readonly send: string
  /** Sent once all that came back ends with `after`. */
  readonly later?: readonly { readonly after: string; readonly send: string }[]
  /** The client ends its side after what it sent. */
  readonly end?: boolean
  readonly outcome: RequestOutcome
}

export type RequestOutcome =
  /** The proxy's own answer, then the connection closes; the instance has received nothing. */
  | { readonly kind: 'refused'; readonly status: number }
  /** The instance has received exactly `got`, and each answer came back; the connection is then usable, or `closes`. */
  | { readonly kind: 'served'; readonly got: readonly string[]; readonly closes: boolean }
  /** The instance never has a whole request; the client gets `status` (0: nothing at all) and the connection closes. */
  | { readonly kind: 'broken'; readonly status: number }

/** Bytes of one answer of an instance (latin1), and what the client is to make of them. */
export interface AnswerCase extends Named {
  readonly request: string
  readonly answer: string
  /** What the instance does after it. */
  readonly after: 'stays' | 'ends' | 'resets'
  readonly outcome: AnswerOutcome
  /** The next request may go over the same connection to the instance. */
  readonly reuses: boolean
}

export type AnswerOutcome =
  /** 502 from the proxy itself. */
  | { readonly kind: 'bad' }
  /** An answer begins and visibly does not come to its end. */
  | { readonly kind: 'cut' }
  /** Exactly this, but for a `Date` that the proxy added; the connection is then usable, or `closes`. */
  | { readonly kind: 'got'; readonly text: string; readonly closes: boolean }

export const HOST = 'Host: app\r\n'

type RequestOptions = Pick<RequestCase, 'later' | 'end'>

export function refused(
  id: string,
  level: Level,
  rule: string,
  send: string,
  status = 400,
  options: RequestOptions = {},
): RequestCase {
  return { id, level, rule, send, ...options, outcome: { kind: 'refused', status } }
}

export function served(
  id: string,
  level: Level,
  rule: string,
  send: string,
  got: string | readonly string[],
  options: RequestOptions & { closes?: boolean } = {},
): RequestCase {
  const { closes = false, ...rest } = options
  return {
    id,
    level,
    rule,
    send,
    ...rest,
    outcome: { kind: 'served', got: typeof got === 'string' ? [got] : got, closes },
  }
}

export function broken(
  id: string,
  level: Level,
  rule: string,
  send: string,
  status = 400,
  options: RequestOptions = {},
): RequestCase {
  return { id, level, rule, send, ...options, outcome: { kind: 'broken', status } }
}

/**
 * A request as the instance receives it, without what the proxy says of the client. `fields` come before `Via`, with the
 * line of the framing at their end; `last` after it.
 */
export function forwarded(
  line: string,
  fields = '',
  {
    host = 'app',
    via = '1.1',
    last = '',
    body = '',
  }: { host?: string; via?: string; last?: string; body?: string } = {},
): string {
  return `${line} HTTP/1.1\r\nHost: ${host}\r\n${fields}Via: ${via} vipswap\r\n${last}\r\n${body}`
}

export const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`
export const HEAD = `HEAD / HTTP/1.1\r\n${HOST}\r\n`
export const POST = `POST / HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`
export const GET_10 = `GET / HTTP/1.0\r\n\r\n`

interface AnswerOptions {
  readonly request?: string
  readonly after?: AnswerCase['after']
  readonly reuses?: boolean
  readonly closes?: boolean
}

/** By a POST, which is never sent twice. */
export function bad(
  id: string,
  level: Level,
  rule: string,
  answer: string,
  { request = POST, after = 'stays' }: AnswerOptions = {},
): AnswerCase {
  return { id, level, rule, request, answer, after, outcome: { kind: 'bad' }, reuses: false }
}

export function cut(
  id: string,
  level: Level,
  rule: string,
  answer: string,
  { request = GET, after = 'stays' }: AnswerOptions = {},
): AnswerCase {
  return { id, level, rule, request, answer, after, outcome: { kind: 'cut' }, reuses: false }
}

export function got(
  id: string,
  level: Level,
  rule: string,
  answer: string,
  text: string,
  { request = GET, after = 'stays', reuses = after === 'stays', closes = false }: AnswerOptions = {},
): AnswerCase {
  return { id, level, rule, request, answer, after, outcome: { kind: 'got', text, closes }, reuses }
}
