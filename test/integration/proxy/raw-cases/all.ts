import { ANSWER_BODIES } from './answer-bodies.ts'
import { ANSWER_HEADS } from './answer-heads.ts'
import type { AnswerCase, RequestCase } from './case.ts'
import { CHUNKED_BODIES } from './chunked.ts'
import { CONNECTION } from './connection.ts'
import { EXPECTATIONS } from './expectations.ts'
import { FIELDS } from './fields.ts'
import { LENGTH } from './length.ts'
import { LIMITS } from './limits.ts'
import { REQUEST_LINE } from './request-line.ts'
import { TARGETS } from './targets.ts'

export const REQUEST_CASES: readonly (readonly [group: string, cases: readonly RequestCase[]])[] = [
  ['request lines', REQUEST_LINE],
  ['targets and hosts', TARGETS],
  ['fields', FIELDS],
  ['connections', CONNECTION],
  ['lengths and codings', LENGTH],
  ['chunked bodies', CHUNKED_BODIES],
  ['expectations', EXPECTATIONS],
  ['limits', LIMITS],
]

export const ANSWER_CASES: readonly (readonly [group: string, cases: readonly AnswerCase[]])[] = [
  ['heads of answers', ANSWER_HEADS],
  ['bodies of answers', ANSWER_BODIES],
]
