import type { AdminApp, AdminContext } from '../context.ts'
import { COLLECT, HEALTHZ, METRICS, READYZ } from '../calls/rest.ts'
import { portalRoutes, wantsPage } from './portal.ts'

const POINTER = `vipswap controller

  GET /v1/services      what runs
  GET /v1/events        the timeline (server-sent events)
  GET /v1/operations    what was done and is being done
  GET /metrics          Prometheus
  GET /healthz /readyz

The command line does the same: vipswap status, vipswap --help
`

/** How the controller itself is. Asked often, so its log stays quiet about it. */
export function systemRoutes(app: AdminApp, { api }: AdminContext): void {
  const sendPage = portalRoutes(app)
  app.get('/', (request, reply) => {
    reply.header('vary', 'accept')
    if (sendPage !== null && wantsPage(request)) return sendPage(reply)
    return reply.type('text/plain; charset=utf-8').send(POINTER)
  })
  app.get('/healthz', { config: { call: HEALTHZ } }, () => ({ ok: true }))
  app.get('/readyz', { config: { call: READYZ } }, (_request, reply) => {
    const state = api.ready()
    return reply.code(state.ready ? 200 : 503).send(state)
  })
  app.get('/metrics', { config: { call: METRICS } }, async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await api.metrics()),
  )
  app.post('/v1/gc', { config: { call: COLLECT } }, () => api.gc())
}
