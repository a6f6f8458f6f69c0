import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type, type Static } from 'typebox'
import type { Accepted, OperationView } from '../contracts/api/operation.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Command } from '../contracts/command.ts'
import { auditAccepted } from './audit/audit.ts'
import { SecondsText, endOf, type AdminContext } from './context.ts'
import { idempotencyKeyOf } from './idempotency-key.ts'
import { preconditionOf } from './precondition.ts'

/** Query of every mutating call. */
export const WaitQuery = Type.Object({ wait: Type.Optional(SecondsText) })
export type WaitQuery = Static<typeof WaitQuery>

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
  const idempotencyKey = idempotencyKeyOf(request.headers['idempotency-key'])
  const check = preconditionOf(request, command)
  const accepted = await context.api.submit(command, {
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(certificates.length === 0 ? {} : { certificates }),
    ...(check === undefined ? {} : { check }),
    by: request.caller.name,
  })
  request.log.info(
    { operation: accepted.operationId, command: command.kind, by: request.caller.name },
    'accepted a command',
  )
  auditAccepted(context.audit, request, accepted.operationId)
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
