import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { formatAddress } from '../core/address.ts'
import { answeredToSandbox, sendFromSandbox } from './road/sandboxed-page.ts'

/** Which endpoint of the instance is meant; absent: its first. */
export const ENDPOINT_HEADER = 'x-vipswap-endpoint'

/** Meant for one connection (RFC 9110 section 7.6.1), or for this server alone. */
const NOT_FORWARDED = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
  'authorization',
  ENDPOINT_HEADER,
])
/** They speak for all of an origin, and this one is the admin's. */
const OF_THE_ORIGIN = new Set([
  'alt-svc',
  'clear-site-data',
  'nel',
  'public-key-pins',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'strict-transport-security',
])
/** What an instance answers is not ours: a page of it may not use the admin API as this origin. */
const SANDBOX = 'sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts'

/** Where a request goes: an instance, and the path at it. `prefix` is what stands before that path here. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly path: string
  readonly prefix: string
  /** How it is asked: by whoever shows who he is, from a page in its sandbox below a key, or under a name of its own. */
  readonly from: 'caller' | 'sandbox' | 'own-name'
}

/** What an instance is sent. It is told by which name and under which prefix it was called, to make links from. */
export function forwardedHeaders(request: IncomingMessage, target: Target): Record<string, string | string[]> {
  const sent = {
    ...endToEnd(request.headers),
    ...fieldsOfOrigin(request.headers, target),
    'x-forwarded-host': request.headers.host ?? '',
    'x-forwarded-proto': request.socket instanceof TLSSocket ? 'https' : 'http',
    'x-forwarded-for': request.socket.remoteAddress ?? '',
  }
  if (target.from === 'sandbox') sendFromSandbox(sent, target)
  return sent
}

/** Under its own name all is as a browser asked it; else the instance is told what its pages have to put before a path. */
function fieldsOfOrigin({ host = '', authorization }: IncomingHttpHeaders, target: Target): Record<string, string> {
  if (target.from !== 'own-name') return { host: formatAddress(target), 'x-forwarded-prefix': target.prefix }
  return authorization === undefined ? { host } : { host, authorization }
}

/** What the caller gets of an instance's fields: those that name a place at the instance name it as it is reached here. */
export function answeredHeaders(
  headers: IncomingHttpHeaders,
  target: Target,
  asked: IncomingHttpHeaders,
): Record<string, string | string[]> {
  const kept = endToEnd(headers)
  if (target.from !== 'own-name') for (const name of OF_THE_ORIGIN) delete kept[name]
  for (const name of ['location', 'content-location']) {
    const place = kept[name]
    if (typeof place === 'string') kept[name] = underPrefix(place, target)
  }
  const cookies = kept['set-cookie']
  if (cookies !== undefined)
    kept['set-cookie'] = [cookies].flat().map(cookie => cookieUnderPrefix(cookie, target.prefix))
  // The name is the key: other origins are not told it.
  if (target.from === 'own-name') return { ...kept, 'referrer-policy': 'same-origin' }
  const answered = { ...kept, 'content-security-policy': SANDBOX }
  return target.from === 'sandbox' ? answeredToSandbox(answered, asked) : answered
}

/** A reference of the instance's; one that leads elsewhere stays as it is. */
function underPrefix(reference: string, target: Target): string {
  const base = `http://${formatAddress(target)}`
  if (!URL.canParse(reference, base + target.path)) return reference
  const url = new URL(reference, base + target.path)
  return url.origin === base ? target.prefix + url.pathname + url.search + url.hash : reference
}

/** Nothing of an instance is sent to another one, nor to the API. */
function cookieUnderPrefix(cookie: string, prefix: string): string {
  const [pair = '', ...attributes] = cookie.split(';').map(part => part.trim())
  const path = attributes.find(each => /^path=\//i.test(each))?.slice('path='.length) ?? '/'
  const others = attributes.filter(each => !/^(path|domain)(=|$)/i.test(each))
  return [pair, `Path=${prefix}${path}`, ...others].join('; ')
}

function endToEnd(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const named = String(headers.connection ?? '')
    .split(',')
    .map(name => name.trim().toLowerCase())
  const kept: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !NOT_FORWARDED.has(name) && !named.includes(name)) kept[name] = value
  }
  return kept
}
