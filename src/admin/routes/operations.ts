import { Type } from 'typebox'
import { VipswapError } from '../../core/errors.ts'
import type { OperationView } from '../../contracts/api/operation.ts'
import type { OperationStatus } from '../../model/states.ts'
import { WaitQuery, accept } from '../accept.ts'
import { CountText, endOf, type AdminApp, type AdminContext } from '../context.ts'

const STATUSES = [
  'InProgress',
  'Succeeded',
  'Failed',
  'RolledBack',
  'Cancelled',
] as const satisfies readonly OperationStatus[]
const OperationParams = Type.Object({ id: Type.String() })
const ListQuery = Type.Object({
  service: Type.Optional(Type.String()),
  status: Type.Optional(Type.Enum([...STATUSES])),
  limit: Type.Optional(CountText),
})
const DEFAULT_LIMIT = 100

export function operationRoutes(app: AdminApp, context: AdminContext): void {
  const { api } = context

  app.get('/v1/operations', { schema: { querystring: ListQuery } }, ({ query }) => {
    const { limit, ...filter } = query
    return { operations: api.operations({ ...filter, limit: limit === undefined ? DEFAULT_LIMIT : Number(limit) }) }
  })
  // With `wait`, a long poll: answers when the operation ended or the seconds are over.
  app.get(
    '/v1/operations/:id',
    { schema: { params: OperationParams, querystring: WaitQuery } },
    async ({ params, query }, reply): Promise<OperationView> => {
      const operation = find(params.id)
      if (query.wait === undefined || operation.status !== 'InProgress') return operation
      return api.waitOperation(params.id, Number(query.wait) * 1000, endOf(reply.raw, context.closing))
    },
  )
  app.post(
    '/v1/operations/:id/force',
    { schema: { params: OperationParams, querystring: WaitQuery } },
    async (request, reply) => accept(context, { kind: 'force', operation: find(request.params.id).id }, request, reply),
  )
  app.get('/v1/operations/:id/receipt', { schema: { params: OperationParams } }, ({ params }) => {
    const receipt = api.receipt(params.id)
    if (receipt !== null) return receipt
    const { status } = find(params.id)
    const why = status === 'InProgress' ? 'is still running; its receipt comes with its end' : 'left no receipt'
    throw new VipswapError('not_found', `operation ${params.id} ${why}`)
  })

  function find(id: string): OperationView {
    const operation = api.operation(id)
    if (operation !== null) return operation
    throw new VipswapError('operation_not_found', `there is no operation "${id}"; GET /v1/operations lists them`)
  }
}
