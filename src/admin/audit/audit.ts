import type { FastifyRequest } from 'fastify'
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { ErrorCode } from '../../core/errors.ts'
import type { Caller } from '../access/caller.ts'
import { READING } from '../access/origins.ts'
import { roleOf } from '../access/permissions.ts'
import type { AdminApp } from '../context.ts'
import type { AuditLog } from './audit-log.ts'
import type { AuditRecord } from './audit-record.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the record of this call says besides what the request does. */
    audit: AuditNotes
  }
}

interface AuditNotes {
  /** The address the connection came from; a connection that is gone has none. */
  readonly from: string
  bodyDigest: string | null
  operation: string | null
  code: ErrorCode | null
  written: boolean
}

const MAX_TEXT = 1000
/** Not an HTTP status: the caller left before there was an answer. */
const CLIENT_GONE = 499
const NOT_LET_IN = new Set([401, 403, 429])

/** Writes a record for each call that changes something or was not let in. */
export function auditRequests(app: AdminApp, file: AuditLog | null): void {
  app.decorateRequest('audit')
  app.addHook('onRequest', async (request, reply) => {
    const from = request.raw.socket.remoteAddress ?? ''
    request.audit = { from, bodyDigest: null, operation: null, code: null, written: file === null }
    if (file === null) return
    // The end of what is answered by hand, and of what nobody waited for.
    reply.raw.once('close', () => {
      const status = reply.raw.headersSent ? reply.raw.statusCode : CLIENT_GONE
      if (isAudited(request, status)) write(file, request, status)
    })
  })
  if (file === null) return
  app.addHook('onSend', async (request, reply, payload) => {
    if (isAudited(request, reply.statusCode)) write(file, request, reply.statusCode)
    return payload
  })
  app.addHook('onClose', () => file.close())
}

/** Writes the record of a call whose answer may take its time: the operation is accepted now. */
export function auditAccepted(file: AuditLog | null, request: FastifyRequest, operation: string): void {
  request.audit.operation = operation
  if (file !== null && !request.audit.written) write(file, request, 202)
}

/** Writes the record of a connection that left HTTP for an instance, or was not let. */
export function auditUpgrade(
  file: AuditLog | null,
  request: IncomingMessage,
  outcome: { caller: Caller; url: string; status: number; code: ErrorCode | null },
): void {
  const { caller, url, status, code } = outcome
  file?.write({
    at: new Date().toISOString(),
    requestId: null,
    by: caller.name,
    role: caller.role,
    means: caller.means,
    from: request.socket.remoteAddress ?? '',
    method: request.method ?? '',
    path: pathOf(url),
    call: 'askInstance',
    target: {},
    bodyDigest: null,
    idempotencyKey: null,
    outcome: outcomeOf(status),
    status,
    code,
    operation: null,
  } satisfies AuditRecord)
}

/** SHA-256 of a body. */
export function bodyDigest(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}

function isAudited({ audit, method, routeOptions, headers }: FastifyRequest, status: number): boolean {
  // Undefined where what came could not be routed at all.
  if ((audit as AuditNotes | undefined)?.written !== false) return false
  // A page asks before it has a token; who has a wrong one is of interest whatever he wanted.
  if (NOT_LET_IN.has(status)) return !READING.has(method) || headers.authorization !== undefined
  const { call } = routeOptions.config
  return call !== undefined && !READING.has(method) && roleOf(call.id) !== 'viewer'
}

function write(file: AuditLog, request: FastifyRequest, status: number): void {
  const { audit, caller, id, method, url, routeOptions, params, headers } = request
  const key = headers['idempotency-key']
  audit.written = true
  file.write({
    at: new Date().toISOString(),
    requestId: id,
    by: caller.name,
    role: caller.role,
    means: caller.means,
    from: audit.from,
    method,
    path: pathOf(url),
    call: routeOptions.config.call?.id ?? null,
    target: targetOf(params),
    bodyDigest: audit.bodyDigest,
    idempotencyKey: typeof key === 'string' ? key.slice(0, MAX_TEXT) : null,
    outcome: outcomeOf(status),
    status,
    code: audit.code,
    operation: audit.operation,
  } satisfies AuditRecord)
}

function outcomeOf(status: number): AuditRecord['outcome'] {
  if (status < 400) return 'done'
  if (status === CLIENT_GONE) return 'unknown'
  return status < 500 ? 'refused' : 'failed'
}

/** Queries are left out: on the road to an instance they are the instance's, secrets and all. A key of it is one, too. */
function pathOf(url: string): string {
  return url
    .replace(/[?#].*$/s, '')
    .replace(/(\/proxy\/~)[a-z2-7]{26}(?=\/|$)/, '$1…')
    .slice(0, MAX_TEXT)
}

/** The names in the path: service, slot, instance, node, operation. */
function targetOf(params: unknown): Record<string, string> {
  if (typeof params !== 'object' || params === null) return {}
  return Object.fromEntries(
    Object.entries(params).flatMap(([name, value]) =>
      name !== '*' && typeof value === 'string' ? [[name, value.slice(0, MAX_TEXT)]] : [],
    ),
  )
}
