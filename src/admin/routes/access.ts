import { WHO_AM_I } from '../calls/access.ts'
import type { AdminApp } from '../context.ts'

/** Who calls. */
export function accessRoutes(app: AdminApp): void {
  app.get('/v1/whoami', { config: { call: WHO_AM_I } }, ({ caller }) => caller)
}
