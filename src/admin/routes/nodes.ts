import { Type } from 'typebox'
import { WaitQuery, accept } from '../accept.ts'
import type { AdminApp, AdminContext } from '../context.ts'
import { DRAIN_NODE, LIST_NODES, UNDRAIN_NODE } from '../calls/rest.ts'

const NodeParams = Type.Object({ node: Type.String() })

/** The nodes, and emptying one. */
export function nodeRoutes(app: AdminApp, context: AdminContext): void {
  app.get('/v1/nodes', { config: { call: LIST_NODES } }, () => ({ nodes: context.api.nodes() }))
  for (const [verb, kind, call] of [
    ['drain', 'drainNode', DRAIN_NODE],
    ['undrain', 'undrainNode', UNDRAIN_NODE],
  ] as const) {
    app.post(
      `/v1/nodes/:node/${verb}`,
      { schema: { params: NodeParams, querystring: WaitQuery }, config: { call } },
      async (request, reply) => accept(context, { kind, node: request.params.node }, request, reply),
    )
  }
}
