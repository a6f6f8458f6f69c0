import type { FastifyReply } from 'fastify'
import { VipswapError, errorMessage, systemCode, type ErrorCode } from '../core/errors.ts'
import type { Problem } from '../contracts/api/problem.ts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** Codes of Fastify's own errors that are the caller's mistake. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'request_too_large',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
  FST_ERR_BAD_URL: 'invalid_request',
  FST_ERR_ASYNC_CONSTRAINT: 'invalid_request',
}

/** A disk, or a share of one, that is full. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

/** The problem (RFC 9457) that tells of a refusal or failure. `details` of the error become members of their own. */
export function problemOf(error: VipswapError): Problem {
  return {
    ...error.details,
    type: `/api/errors#${error.code}`,
    title: sentence(error.code),
    status: error.status,
    detail: error.message,
    code: error.code,
  }
}

/** Any thrown thing as one of our errors; what nobody foresaw is `internal`. */
export function toVipswapError(thrown: unknown): VipswapError {
  if (thrown instanceof VipswapError) return thrown
  if (FULL.has(systemCode(thrown) ?? ''))
    return new VipswapError('store_full', `there is no room: ${errorMessage(thrown)}`, {}, { cause: thrown })
  const code = thrown instanceof Error && 'code' in thrown ? FASTIFY_CODES[String(thrown.code)] : undefined
  if (code === 'unsupported_media_type') return wrongMediaType(thrown)
  if (code !== undefined) return new VipswapError(code, errorMessage(thrown), {}, { cause: thrown })
  const status = thrown instanceof Error && 'statusCode' in thrown ? thrown.statusCode : 500
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new VipswapError('invalid_request', errorMessage(thrown), {}, { cause: thrown })
  }
  return new VipswapError(
    'internal',
    `the controller failed: ${errorMessage(thrown)}; its log has more`,
    {},
    { cause: thrown },
  )
}

export async function sendProblem(reply: FastifyReply, error: VipswapError): Promise<void> {
  if (error.code === 'unauthorized') reply.header('www-authenticate', 'Bearer realm="vipswap"')
  if (error.code === 'too_many_attempts') reply.header('retry-after', String(error.details['retryAfter']))
  await reply
    .code(error.status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problemOf(error)))
}

function wrongMediaType(cause: unknown): VipswapError {
  return new VipswapError(
    'unsupported_media_type',
    'the body has a type this call does not read; write content-type: application/json (packages: application/gzip or application/zip)',
    {},
    { cause },
  )
}

function sentence(code: string): string {
  const words = code.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
