import { Type } from 'typebox'
import { WaitQuery, accept } from '../accept.ts'
import type { AdminApp, AdminContext } from '../context.ts'

const NodeParams = Type.Object({ node: Type.String() })

/** The nodes, and emptying one. */
export function nodeRoutes(app: AdminApp, context: AdminContext): void {
  app.get('/v1/nodes', () => ({ nodes: context.api.nodes() }))
  for (const [verb, kind] of [
    ['drain', 'drainNode'],
    ['undrain', 'undrainNode'],
  ] as const) {
    app.post(
      `/v1/nodes/:node/${verb}`,
      { schema: { params: NodeParams, querystring: WaitQuery } },
      async (request, reply) => accept(context, { kind, node: request.params.node }, request, reply),
    )
  }
}
