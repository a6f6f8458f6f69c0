import { readFileSync, readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { VipswapError } from '../../core/errors.ts'
import type { AdminApp } from '../context.ts'

/** Written by src/portal/build.ts; not there where only tsc ran. */
const FOLDER = fileURLToPath(new URL('../../portal/assets/', import.meta.url))
const PAGE = 'index.html'
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}
/** Only this origin's own files, nothing inline, in no frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Does the caller want a page rather than text? */
export function wantsPage({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes('text/html') === true
}

/** The page's files under `/portal/`; answers how to send the page itself, or null where it was not built. */
export function portalRoutes(app: AdminApp): ((reply: FastifyReply) => FastifyReply) | null {
  const files = readFiles()
  app.get('/portal/:file', { schema: { params: Type.Object({ file: Type.String() }) } }, ({ params }, reply) => {
    const body = params.file === PAGE ? undefined : files.get(params.file)
    if (body === undefined)
      throw new VipswapError('not_found', `the portal has no file ${params.file}; reload the page`)
    // Its name changes with its content.
    reply.header('cache-control', 'public, max-age=31536000, immutable')
    return reply.type(TYPES[extname(params.file)] ?? 'application/octet-stream').send(body)
  })
  const page = files.get(PAGE)
  if (page === undefined) return null
  return reply =>
    reply
      .header('content-security-policy', POLICY)
      .header('referrer-policy', 'no-referrer')
      .header('cross-origin-opener-policy', 'same-origin')
      .type(TYPES['.html'] ?? '')
      .send(page)
}

function readFiles(): ReadonlyMap<string, Buffer> {
  try {
    return new Map(readdirSync(FOLDER).map(name => [name, readFileSync(join(FOLDER, name))]))
  } catch {
    return new Map()
  }
}
