/** What a parser made of one message. */
export interface Message {
  /** Method and target, or the status. */
  readonly start: string
  /** Names in lower case and values without blanks around, in order; of requests without what belongs to one hop. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Content, without its framing (latin1). */
  readonly body: string
}

/** What a parser made of a run of octets: whole messages in order, and why it refused to go on (null: it did not). */
export interface Reading {
  readonly messages: readonly Message[]
  readonly why: string | null
}

/** Of one hop, of framing, or about who came before: not compared by name, since a proxy may not pass them on. */
const NOT_COMPARED = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'content-length',
  'host',
  'expect',
  'max-forwards',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-forwarded-by',
  'x-real-ip',
  'x-request-id',
  'traceparent',
  'tracestate',
])
const KEPT_ANYWAY = new Set(['via', 'date'])

/** Fields as they are compared: without those above, those that `Connection` names and underscored look-alikes. */
export function comparable(all: readonly (readonly [name: string, value: string])[]): (readonly [string, string])[] {
  const named = new Set<string>()
  for (const [name, value] of all) {
    if (name.toLowerCase() !== 'connection') continue
    for (const option of value.split(',')) named.add(option.replaceAll(/^[\t ]+|[\t ]+$/g, '').toLowerCase())
  }
  named.delete('close')
  const kept: (readonly [string, string])[] = []
  for (const [name, value] of all) {
    const lower = name.toLowerCase()
    if (NOT_COMPARED.has(lower.replaceAll('_', '-')) || (named.has(lower) && !KEPT_ANYWAY.has(lower))) continue
    kept.push([lower, value])
  }
  return kept
}

/** Field lines (each with its CRLF) as pairs. */
export function pairs(lines: string): [name: string, value: string][] {
  const found: [string, string][] = []
  for (const line of lines.split('\r\n')) {
    if (line === '') continue
    const colon = line.indexOf(':')
    found.push([line.slice(0, colon), line.slice(colon + 1).replaceAll(/^[\t ]+|[\t ]+$/g, '')])
  }
  return found
}
