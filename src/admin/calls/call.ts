import { Type, type TSchema } from 'typebox'
import { Accepted, OperationView } from '../../contracts/api/operation.ts'
import type { ErrorCode } from '../../core/errors.ts'

/** The chapters of the API. */
export const TAGS = {
  services: 'Services and their two slots',
  deployments: 'What runs in a slot, and changing it',
  instances: 'One role instance',
  health: 'Health of a deployment, as judged and as reported',
  traffic: 'What callers saw, and holding them back',
  operations: 'What was done and is being done',
  packages: 'Packages',
  nodes: 'Nodes',
  system: 'The controller itself',
} as const

export interface Answer {
  readonly description: string
  /** Absent: no body. */
  readonly schema?: TSchema
  /** Default `application/json`. */
  readonly type?: string
}

/** What a person must know of a call to make it; its parameters and body are those of its route's schema. */
export interface Call {
  /** Its `operationId`; a method is appended where one route takes several. */
  readonly id: string
  readonly tag: keyof typeof TAGS
  /** One sentence. */
  readonly summary: string
  readonly description?: string
  readonly answers: Readonly<Record<number, Answer>>
  /** Codes it may answer besides those that every call may. */
  readonly problems: readonly ErrorCode[]
  /** `tagged`: has an ETag and reads `If-None-Match`. `command`: reads `If-Match` and `Idempotency-Key`. */
  readonly conditional?: 'tagged' | 'command'
  /** Headers that it alone reads, with what they say. */
  readonly headers?: Readonly<Record<string, string>>
  /** Of a body that is not JSON: its media types. */
  readonly bodyTypes?: readonly string[]
  /** Of the body where it takes one, else of the first answer. */
  readonly example: unknown
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route of /v1 has one: /openapi.json is made of them. */
    call?: Call
  }
}

/** A call that reads one thing or several. */
export function reading(
  call: Omit<Call, 'answers' | 'problems'> & { schema: TSchema; problems?: readonly ErrorCode[] },
): Call {
  const { schema, problems = [], ...rest } = call
  return { ...rest, problems, answers: { 200: { description: 'As it is now.', schema } } }
}

/** A call that begins an operation. */
export function command(
  call: Omit<Call, 'answers' | 'conditional' | 'example'> & {
    /** Of the body; absent where the call has none. */
    example?: unknown
  },
): Call {
  return {
    ...call,
    example: call.example ?? { operationId: 'op-17' },
    problems: ['precondition_failed', 'idempotency_conflict', 'operation_not_found', ...call.problems],
    conditional: 'command',
    answers: {
      202: { description: 'Taken; `Location` has the operation.', schema: Accepted },
      200: { description: 'With `?wait=`: the operation when it ended or the time was up.', schema: OperationView },
    },
  }
}

export function listOf<K extends string>(name: K, schema: TSchema): TSchema {
  return Type.Object({ [name]: Type.Array(schema) })
}
