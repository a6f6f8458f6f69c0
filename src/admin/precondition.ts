import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Command } from '../contracts/command.ts'
import type { Reader } from '../controller/reader.ts'
import { VipswapError } from '../core/errors.ts'
import { decidedTag, entityTag, isCurrent, isKnown, type Tagged } from './entity-tag.ts'

/** Answers a resource under its `ETag`, or 304 where the caller has it (`If-None-Match`). */
export function tagged<T extends Tagged>(
  request: FastifyRequest,
  reply: FastifyReply,
  found: T,
): T['view'] | FastifyReply {
  const tag = entityTag(found)
  // Kept by nobody on the way, but by the caller: that is what the tag is for.
  reply.header('etag', tag).header('cache-control', 'private, no-cache')
  if (!isKnown(request.headers['if-none-match'], tag)) return found.view
  return reply.code(304).send()
}

/**
 * What `If-Match` asks before a command is decided on: throws `precondition_failed`. It is the tag of what the call
 * changes: of the operation, of the slot, else of the service. Undefined where nothing is asked.
 */
export function preconditionOf(request: FastifyRequest, command: Command): ((now: Reader) => void) | undefined {
  const header = request.headers['if-match']
  if (header === undefined) return undefined
  return now => {
    const [what, found] = subjectOf(now, command)
    if (isCurrent(header, found === null ? null : decidedTag(found))) return
    throw new VipswapError(
      'precondition_failed',
      found === null ? `${what} is not there, so no If-Match can hold` : `${what} has changed since: read it again`,
      found === null ? {} : { etag: entityTag(found) },
    )
  }
}

function subjectOf(now: Reader, command: Command): [what: string, found: Tagged | null] {
  if ('slot' in command) {
    const view = now.deployment(command.service, command.slot)
    const what = `slot ${command.slot} of ${command.service}`
    return [what, view === null ? null : { kind: 'deployment', view }]
  }
  if ('service' in command) {
    const view = now.service(command.service)
    return [`service ${command.service}`, view === null ? null : { kind: 'service', view }]
  }
  if ('operation' in command) {
    const view = now.operation(command.operation)
    return [`operation ${command.operation}`, view === null ? null : { kind: 'operation', view }]
  }
  throw new VipswapError('precondition_failed', 'nodes have no ETag; leave If-Match away')
}
