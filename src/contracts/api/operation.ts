import { Type, type Static } from 'typebox'
import { OPERATION_STATUSES } from '../../model/states.ts'
import { Code } from './problem.ts'
import { Count, Nullable, OneOf, Text, Time, type View } from './shape.ts'
import { SlotName } from './slot.ts'

/** 202 of every mutation, with `Location: /v1/operations/{id}`. */
export const Accepted = Type.Object({ operationId: Text() }, { title: 'Accepted' })
export type Accepted = View<typeof Accepted>

const OperationKind = OneOf([
  'create',
  'delete',
  'swap',
  'upgrade',
  'walk',
  'rollback',
  'scale',
  'configure',
  'suspend',
  'start',
  'reboot',
  'reimage',
  'drain',
  'undrain',
  'pause',
  'resume',
])
export type OperationKind = Static<typeof OperationKind>

const Progress = Type.Object({
  step: Text('Named step it is in.'),
  percent: Type.Number({ minimum: 0, maximum: 100 }),
  message: Text('What it waits for, in words.'),
  domains: Type.Optional(Type.Array(Type.Object({ domain: Count(), done: Count(), total: Count() }))),
})

export const OperationView = Type.Object(
  {
    id: Text(),
    kind: OperationKind,
    service: Text(),
    slot: Type.Optional(SlotName),
    deployment: Type.Optional(Text()),
    node: Type.Optional(Text('Of `node drain` and `node undrain`: which; `service` is empty then.')),
    status: OneOf(OPERATION_STATUSES),
    by: Nullable(Type.String(), 'Who asked for it: the name of a token, or `local`; null: a rule did.'),
    startedAt: Time(),
    endedAt: Type.Optional(Time()),
    progress: Progress,
    error: Type.Optional(Type.Object({ code: Code, message: Text() })),
  },
  { title: 'OperationView' },
)
export type OperationView = View<typeof OperationView>
