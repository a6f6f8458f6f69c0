import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type, type Static } from 'typebox'
import { VipswapError } from '../core/errors.ts'
import type { Accepted, OperationView } from '../contracts/api/operation.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Command } from '../contracts/command.ts'
import { SecondsText, endOf, type AdminContext } from './context.ts'

/** Query of every mutating call. */
export const WaitQuery = Type.Object({ wait: Type.Optional(SecondsText) })
export type WaitQuery = Static<typeof WaitQuery>

const MAX_KEY = 255

/**
 * Submits a command. Answers 202 with `Location` and the operation's id, or, asked to wait, 200 with the operation once
 * it ended or the time is up. `certificates` are those that the command's configuration stands for by id.
 */
export async function accept(
  context: AdminContext,
  command: Command,
  request: FastifyRequest<{ Querystring: WaitQuery }>,
  reply: FastifyReply,
  certificates: readonly Certificate[] = [],
): Promise<Accepted | OperationView> {
  const idempotencyKey = keyOf(request.headers['idempotency-key'])
  const accepted = await context.api.submit(command, {
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(certificates.length === 0 ? {} : { certificates }),
  })
  reply.header('location', `/v1/operations/${accepted.operationId}`)
  if (request.query.wait === undefined) {
    reply.code(202)
    return accepted
  }
  return context.api.waitOperation(
    accepted.operationId,
    Number(request.query.wait) * 1000,
    endOf(reply.raw, context.closing),
  )
}

function keyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  if (typeof header === 'string' && header !== '' && header.length <= MAX_KEY) return header
  throw new VipswapError('invalid_request', `Idempotency-Key must be one value of 1 to ${MAX_KEY} characters`)
}
