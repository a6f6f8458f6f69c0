import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { VipswapError } from '../core/errors.ts'
import { readTokens } from '../core/token-file.ts'
import { isPortalPath } from './routes/portal.ts'

export interface AccessOptions {
  /** The address listened on. */
  readonly host: string
  /**
   * Bearer tokens, as a token file has them: one to a line, alone or after a name and a space. Without one only a loopback
   * address may be listened on.
   */
  readonly token?: string | undefined
  /** Further names callers may use for this controller. */
  readonly hostNames?: readonly string[] | undefined
}

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Balancers and supervisors ask these without a token. */
const OPEN_PATHS = new Set(['/healthz', '/readyz'])

function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase()
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))
}

/** Throws unless the address is loopback or a token guards it (contract.md section 3). */
export function checkExposure({ host, token }: AccessOptions): void {
  if (isLoopback(host) || readTokens(token ?? '').length > 0) return
  throw new VipswapError(
    'usage',
    `the admin address ${host} can be reached from other machines: give --token-file FILE, or listen on 127.0.0.1`,
  )
}

/** Whoever calls where no token is asked for: only this machine can. */
const LOCAL = 'local'
/**
 * Decides who may call, and answers who it is (`local`, or the name of the token): the `Host` must be a name of this controller (else a page could reach it through DNS rebinding),
 * pages of other origins may not change anything, and the bearer token must be right where there is one. Throws
 * `forbidden` or `unauthorized`.
 */
export function createGuard(options: AccessOptions): (request: IncomingMessage) => string {
  const names = new Set(
    ['localhost', hostname(), options.host, ...(options.hostNames ?? [])].map(name => name.toLowerCase()),
  )
  const exposed = !isLoopback(options.host)
  const tokens = readTokens(options.token ?? '').map(({ name, token }) => ({ name, digest: digest(token) }))

  const knows = (name: string): boolean => {
    const plain = name.replace(/^\[|\]$/g, '').toLowerCase()
    // An address cannot be rebound to another one, so any is fine where the whole network may call.
    return isLoopback(plain) || names.has(plain) || (exposed && isIP(plain) !== 0)
  }

  return request => {
    const host = request.headers.host ?? ''
    if (!knows(hostOf(host))) {
      throw new VipswapError('forbidden', `Host "${host}" is not a name of this controller; use its address`)
    }
    const path = (request.url ?? '').replace(/\?.*$/s, '')
    const upgrade = request.headers.upgrade !== undefined
    if (upgrade || path.includes('/proxy') || !READING.has(request.method ?? '')) checkOrigin(request, host)
    if (tokens.length === 0 || (isOpen(path) && READING.has(request.method ?? ''))) return LOCAL
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (given === undefined)
      throw new VipswapError('unauthorized', 'a token is needed: --token, or authorization: Bearer')
    const asked = digest(given)
    // All are compared, so that the time taken tells nothing.
    const [known] = tokens.filter(token => timingSafeEqual(asked, token.digest))
    if (known === undefined) throw new VipswapError('unauthorized', 'the token is not the right one')
    return known.name
  }
}

function isOpen(path: string): boolean {
  return OPEN_PATHS.has(path) || isPortalPath(path)
}

function checkOrigin(request: IncomingMessage, host: string): void {
  const origin = request.headers.origin
  const site = request.headers['sec-fetch-site']
  const own = origin === undefined || origin.replace(/^https?:\/\//, '').toLowerCase() === host.toLowerCase()
  if (own && (site === undefined || site === 'same-origin' || site === 'none')) return
  throw new VipswapError('forbidden', `pages of another origin (${origin ?? site ?? ''}) may not do this`)
}

/** The name in a Host header, without its port. */
function hostOf(header: string): string {
  return header.replace(/:\d*$/, '')
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
