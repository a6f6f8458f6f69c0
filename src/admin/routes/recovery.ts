import { ACCEPT_RECOVERY, GET_RECOVERY } from '../calls/recovery.ts'
import type { AdminApp, AdminContext } from '../context.ts'

/** A journal that was put back after damage: how it is, and going on with it. */
export function recoveryRoutes(app: AdminApp, { api }: AdminContext): void {
  app.get('/v1/recovery', { config: { call: GET_RECOVERY } }, () => ({ recovery: api.recovery() }))
  app.post('/v1/recovery/accept', { config: { call: ACCEPT_RECOVERY } }, async () => ({
    recovery: await api.acceptRecovery(),
  }))
}
