import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { VipswapError } from '../../core/errors.ts'
import { isNavigation } from '../road/navigation.ts'

/** Methods that change nothing (RFC 9110 section 9.2.1). */
export const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

export function isLoopback(host: string): boolean {
  const name = bare(host)
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))
}

/**
 * A check that the `Host` of a request is a name of this controller: a page may reach it through DNS rebinding, but then
 * under a name of the page's own. Throws `forbidden`.
 */
export function createHostCheck(
  listensOn: string,
  furtherNames: () => readonly string[] = () => [],
): (request: IncomingMessage) => void {
  const names = new Set(['localhost', hostname(), listensOn].map(bare))
  const exposed = !isLoopback(listensOn)
  return request => {
    const host = request.headers.host ?? ''
    const name = bare(host.replace(/:\d*$/, ''))
    // An address cannot be rebound to another one, so any is fine where the whole network may call.
    if (
      isLoopback(name) ||
      names.has(name) ||
      furtherNames().some(each => isCovered(name, each)) ||
      (exposed && isIP(name) !== 0)
    )
      return
    throw new VipswapError('forbidden', `Host "${host}" is not a name of this controller; use its address`)
  }
}

/** Pages of other origins may not do this: throws `forbidden`. What is no browser sends neither field. */
export function checkOrigin(request: IncomingMessage): void {
  const { origin, host = '', 'sec-fetch-site': site } = request.headers
  const own = origin === undefined || isOwn(origin, host)
  if (own && (site === undefined || site === 'same-origin' || site === 'none')) return
  throw new VipswapError('forbidden', `pages of another origin (${origin ?? String(site)}) may not do this`)
}

/** As `checkOrigin`, where a page is first led to from elsewhere. */
export function checkOwnPage(request: IncomingMessage): void {
  const { origin, host = '' } = request.headers
  if (!(isNavigation(request) && (origin === undefined || isOwn(origin, host)))) checkOrigin(request)
}

/** As `checkOrigin`, where a sandboxed page may ask, too: to a browser it is of no origin and of another site. */
export function checkSandboxOrigin(request: IncomingMessage): void {
  const { origin, host = '' } = request.headers
  if (origin === undefined || origin === 'null' || isOwn(origin, host)) return
  throw new VipswapError('forbidden', `pages of another origin (${origin}) may not do this`)
}

/** `*.example.org` covers one label more. */
function isCovered(name: string, pattern: string): boolean {
  const other = bare(pattern)
  return other.startsWith('*.') ? name.replace(/^[^.]+/, '*') === other : name === other
}

function isOwn(origin: string, host: string): boolean {
  return origin.replace(/^https?:\/\//, '').toLowerCase() === host.toLowerCase()
}

/** A host name or address as it is compared. */
function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '').toLowerCase()
}
