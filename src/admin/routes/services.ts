import { ServiceParams, findService, type AdminApp, type AdminContext } from '../context.ts'
import { WaitQuery, accept } from '../accept.ts'
import { SwapBody } from '../../contracts/api/bodies.ts'

export function serviceRoutes(app: AdminApp, context: AdminContext): void {
  const { api } = context
  app.get('/v1/services', () => ({ services: api.services() }))
  app.get('/v1/services/:service', { schema: { params: ServiceParams } }, ({ params }) =>
    findService(api, params.service),
  )
  app.delete(
    '/v1/services/:service',
    { schema: { params: ServiceParams, querystring: WaitQuery } },
    async (request, reply) =>
      accept(context, { kind: 'deleteService', service: request.params.service }, request, reply),
  )
  app.post(
    '/v1/services/:service/swap',
    { schema: { params: ServiceParams, querystring: WaitQuery, body: SwapBody } },
    async (request, reply) =>
      accept(context, { kind: 'swap', service: request.params.service, ...request.body }, request, reply),
  )
}
