import type { AdminApp } from '../context.ts'
import type { Route } from './document.ts'

/**
 * Collects the described routes of an app, from now on. A route of /v1 without a description is a defect: it throws. Others,
 * such as the portal's files, may go without.
 */
export function collectRoutes(app: AdminApp): readonly Route[] {
  const routes: Route[] = []
  app.addHook('onRoute', ({ url, method, config, schema }) => {
    // Added by Fastify to every GET.
    const methods = (Array.isArray(method) ? method : [method]).filter(each => each !== 'HEAD' || Array.isArray(method))
    const call = config?.call
    if (call === undefined && url.startsWith('/v1/') && methods.length > 0) {
      throw new Error(`${methods.join()} ${url} has no description (config.call)`)
    }
    if (call !== undefined && methods.length > 0) routes.push({ url, methods, call, schema: schema ?? {} })
  })
  return routes
}
