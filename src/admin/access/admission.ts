import type { AdminApp } from '../context.ts'
import { ANYBODY, type Caller } from './caller.ts'
import type { Guard } from './guard.ts'
import { checkRole } from './permissions.ts'
import { admitToRoad } from '../road/admission.ts'
import type { RoadKeys } from '../road/keys.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller
  }
}

/** Routes that need no token: balancers and supervisors ask them, and browsers before there is one. They hold nothing of the fabric. */
const OPEN = new Set(['/', '/healthz', '/readyz', '/portal/:file'])
/** To one instance: with a key in their address they need no token. */
const ROAD = new Set(['askInstance', 'askInstanceRoot'])
/** How often changed files are looked for while nobody calls. */
const REFRESH_MS = 1000

/** Lets a request in, or not: before its body is read, and before anything is looked up for it. */
export function admitRequests(app: AdminApp, guard: Guard, keys: RoadKeys): void {
  app.decorateRequest('caller')
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    reply.header('cache-control', 'no-store')
    // Whoever is refused is nobody. Connections are counted: nobody keeps one, to send a body or nothing more on it.
    request.caller = ANYBODY
    reply.header('connection', 'close')
    const { url, config } = request.routeOptions
    const id = config.call?.id ?? ''
    request.caller = ROAD.has(id)
      ? admitToRoad(guard, keys, request.raw)
      : guard.admit({ request: request.raw, open: OPEN.has(url ?? '') })
    if (request.caller.means !== 'open') reply.removeHeader('connection')
    if (config.call !== undefined) checkRole(request.caller, id)
  })
  const refresh = setInterval(() => guard.refresh(), REFRESH_MS)
  refresh.unref()
  app.addHook('onClose', () => clearInterval(refresh))
}
