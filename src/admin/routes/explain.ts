import { EXPLAIN } from '../calls/instances.ts'
import { explain } from '../explain.ts'
import { InstanceParams, type AdminApp, type AdminContext } from '../context.ts'

/** Why one instance is as it is. */
export function explainRoutes(app: AdminApp, { api }: AdminContext): void {
  app.get(
    '/v1/services/:service/slots/:slot/instances/:instance/explain',
    { config: { call: EXPLAIN }, schema: { params: InstanceParams } },
    async ({ params: { service, slot, instance } }) => explain(api, service, slot, instance),
  )
}
