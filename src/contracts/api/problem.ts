import { Type } from 'typebox'
import { ERRORS, type ErrorCode } from '../../core/errors.ts'
import { Text, type View } from './shape.ts'

/** A code of the catalogue, src/core/errors.ts. */
export const Code = Type.Unsafe<ErrorCode>(
  Type.Enum(Object.keys(ERRORS), { title: 'ErrorCode', description: 'Stable; docs/errors.md says what to do.' }),
)

/** One of several things that are in the way. */
export const Blocker = Type.Object({ code: Code, message: Text() })

/** RFC 9457, `application/problem+json`. */
export const Problem = Type.Object(
  {
    type: Text('Where this code is explained.'),
    title: Text(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Text('What was wrong, where, and what to do instead.'),
    code: Code,
    blockers: Type.Optional(
      Type.Array(Blocker, { description: 'All that is in the way, where it is several things.' }),
    ),
  },
  { title: 'Problem', additionalProperties: true },
)
export type Problem = View<typeof Problem> & { readonly [extra: string]: unknown }
