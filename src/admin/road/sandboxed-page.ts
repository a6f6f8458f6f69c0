import type { IncomingHttpHeaders } from 'node:http'
import { formatAddress } from '../../core/address.ts'
import type { Target } from '../instance-headers.ts'

type Fields = Record<string, string | string[]>

/** In a sandbox each page is of an origin of its own, which is called so (HTML, section 7.1.1). */
const OPAQUE = 'null'
const PREFLIGHT_SECONDS = 600
/** They judge by the origin, and in the sandbox a page is none with what it loads. */
const ISOLATION = [
  'cross-origin-resource-policy',
  'cross-origin-embedder-policy',
  'cross-origin-opener-policy',
  'origin-agent-cluster',
]

/**
 * Makes of the fields of a request what an instance is sent for a page below a key: no cookies, which are those of
 * everything else on this host, and an origin that is the instance's own, as it would be without a sandbox.
 */
export function sendFromSandbox(fields: NodeJS.Dict<string | string[]>, target: Pick<Target, 'host' | 'port'>): void {
  delete fields['cookie']
  if (fields['origin'] === OPAQUE) fields['origin'] = `http://${formatAddress(target)}`
  if (fields['sec-fetch-site'] === 'cross-site') fields['sec-fetch-site'] = 'same-origin'
}

/** What a page in its sandbox gets: as it would read an answer of its own origin, and its address told to nobody. */
export function answeredToSandbox(fields: Fields, request: IncomingHttpHeaders): Fields {
  const kept = { ...fields }
  for (const name of Object.keys(kept)) {
    if (name === 'set-cookie' || ISOLATION.includes(name) || name.startsWith('access-control-')) delete kept[name]
  }
  kept['referrer-policy'] = 'no-referrer'
  if (request.origin !== OPAQUE) return kept
  const exposed = Object.keys(kept).join(', ')
  const vary = [kept['vary'] ?? [], 'origin'].flat().join(', ')
  return { ...kept, ...readableInSandbox(), 'access-control-expose-headers': exposed, vary }
}

/** What answers the question that a browser asks before a sandboxed page's request; null: it is no such question. */
export function preflightAnswer(method: string | undefined, request: IncomingHttpHeaders): Fields | null {
  const wanted = request['access-control-request-method']
  if (method !== 'OPTIONS' || wanted === undefined || request.origin !== OPAQUE) return null
  return {
    ...readableInSandbox(),
    'access-control-allow-methods': wanted,
    'access-control-allow-headers': request['access-control-request-headers'] ?? '',
    'access-control-max-age': String(PREFLIGHT_SECONDS),
  }
}

function readableInSandbox(): Fields {
  return { 'access-control-allow-origin': OPAQUE, 'access-control-allow-credentials': 'true' }
}
