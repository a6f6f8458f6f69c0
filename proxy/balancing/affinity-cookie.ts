import { createHash } from 'node:crypto'

const COOKIE_LINE = /(?:^|\r\n)cookie:([^\r]*)/gi

/**
 * Name of a VIP's affinity cookie. Its own per listener, since cookies know no ports: two roles, or production and staging,
 * under one host name must not undo each other's. It outlives swaps; a value of the other deployment just fits nothing.
 */
export function cookieName(listener: string): string {
  return `vipswap-affinity-${createHash('sha256').update(listener).digest('hex').slice(0, 8)}`
}

/** The value of cookie `name` in a head's field lines (each with its CRLF); '' if there is none. */
export function cookieValue(fields: string, name: string): string {
  // The usual way out, before any line is looked at.
  if (!fields.includes(name)) return ''
  for (const line of fields.matchAll(COOKIE_LINE)) {
    for (const pair of (line[1] ?? '').split(';')) {
      const equals = pair.indexOf('=')
      if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
    }
  }
  return ''
}

/** The field line, with its CRLF, that makes a client stay with the instance of that `token` until its session ends. */
export function setCookieLine(name: string, token: string, secure: boolean): string {
  return `Set-Cookie: ${name}=${token}; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}\r\n`
}
