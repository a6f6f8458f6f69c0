import { ServiceParams, findService, type AdminApp, type AdminContext } from '../context.ts'
import { WaitQuery, accept } from '../accept.ts'
import { serviceFor } from '../access/permissions.ts'
import { awaited } from '../long-poll.ts'
import { tagged } from '../precondition.ts'
import { SwapBody } from '../../contracts/api/bodies.ts'
import * as calls from '../calls/services.ts'

export function serviceRoutes(app: AdminApp, context: AdminContext): void {
  const { api } = context
  app.get('/v1/services', { config: { call: calls.LIST_SERVICES } }, ({ caller }) => ({
    services: api.services().map(service => serviceFor(caller, service)),
  }))
  app.get(
    '/v1/services/:service',
    { schema: { params: ServiceParams, querystring: WaitQuery }, config: { call: calls.GET_SERVICE } },
    async (request, reply) => {
      const find = () =>
        ({ kind: 'service', view: serviceFor(request.caller, findService(api, request.params.service)) }) as const
      return tagged(request, reply, await awaited(context, request, reply, find))
    },
  )
  app.delete(
    '/v1/services/:service',
    { schema: { params: ServiceParams, querystring: WaitQuery }, config: { call: calls.DELETE_SERVICE } },
    async (request, reply) =>
      accept(context, { kind: 'deleteService', service: request.params.service }, request, reply),
  )
  app.post(
    '/v1/services/:service/swap',
    { schema: { params: ServiceParams, querystring: WaitQuery, body: SwapBody }, config: { call: calls.SWAP } },
    async (request, reply) =>
      accept(context, { kind: 'swap', service: request.params.service, ...request.body }, request, reply),
  )
}
