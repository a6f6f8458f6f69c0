import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { isLoopback } from '../access/origins.ts'
import { rootOf } from './address.ts'
import type { RoadKeys } from './keys.ts'

const OWN_NAME = /^([a-z2-7]{26})\.localhost(:\d+)?$/i
const FORWARDED = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto']
const HOST = /^(.*?)(:\d+)?$/

/** The key in the `Host` of a request to an instance's own name, `KEY.localhost`; null: it goes to the admin itself. */
export function keyInHost({ headers }: IncomingMessage): string | null {
  return OWN_NAME.exec(headers.host ?? '')?.[1]?.toLowerCase() ?? null
}

/**
 * The URL of a request as the routes know it: all that is asked under an instance's own name is for that instance, and
 * nothing of it for the API.
 */
export function urlForRoutes(keys: RoadKeys, request: IncomingMessage): string {
  const { url = '/' } = request
  const key = keyInHost(request)
  if (key === null) return url
  return `${rootOf(keys.placeOf(key))}/~${key}${url.startsWith('/') ? url : '/'}`
}

/**
 * The origin of an instance's own name, as the browser of this request reaches it; null: it may not. Browsers take every
 * `*.localhost` for the loopback (RFC 6761 section 6.3); elsewhere each would need an entry in the DNS and a certificate.
 */
export function ownOrigin({ headers, socket }: IncomingMessage, key: string): string | null {
  // Behind a proxy the loopback is not the browser's.
  if (FORWARDED.some(field => headers[field] !== undefined)) return null
  const [, name = '', port = ''] = HOST.exec(headers.host ?? '') ?? []
  return isLoopback(name) && !(socket instanceof TLSSocket) ? `http://${key}.localhost${port}` : null
}
