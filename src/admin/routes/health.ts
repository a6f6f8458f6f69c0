import { parseDuration } from '../../core/duration.ts'
import { VipswapError } from '../../core/errors.ts'
import { HealthBody } from '../../contracts/api/bodies.ts'
import { SlotParams, findDeployment, type AdminApp, type AdminContext } from '../context.ts'

const PATH = '/v1/services/:service/slots/:slot/health'

/** What a deployment's health is and why; and reports of it from outside, answered with what follows from them. */
export function healthRoutes(app: AdminApp, { api }: AdminContext): void {
  app.get(PATH, { schema: { params: SlotParams } }, ({ params: { service, slot } }) => {
    findDeployment(api, service, slot)
    const health = api.health(service, slot)
    if (health === null) throw new VipswapError('deployment_not_found', `slot ${slot} of ${service} is empty`)
    return health
  })
  app.post(PATH, { schema: { params: SlotParams, body: HealthBody } }, async ({ params, body }) => {
    const { instance, ttl, sequence, description = '', removeWhenExpired = false, ...said } = body
    return api.reportHealth({
      kind: 'health-reported',
      ...params,
      ...(instance === undefined ? {} : { instance }),
      report: {
        ...said,
        description,
        removeWhenExpired,
        ttlMs: ttl === undefined ? null : parseDuration(ttl),
        sequence: sequence ?? null,
      },
    })
  })
}
