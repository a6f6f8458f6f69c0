import type { IncomingMessage } from 'node:http'

/** Does a browser ask for a page to show, rather than for something that a page or a program wants? */
export function isNavigation({ method, headers }: IncomingMessage): boolean {
  if (method !== 'GET') return false
  const mode = headers['sec-fetch-mode']
  // Browsers leave the field out where neither TLS nor the loopback makes the way safe.
  if (mode === undefined) return headers.accept?.startsWith('text/html') === true
  return mode === 'navigate'
}
