import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { lastWords } from '../core/last-words.ts'
import { ANYBODY } from './access/caller.ts'
import type { Guard } from './access/guard.ts'
import { checkRole } from './access/permissions.ts'
import type { AuditLog } from './audit/audit-log.ts'
import { auditUpgrade } from './audit/audit.ts'
import { rawProblem, type InstanceProxy } from './instance-proxy.ts'
import { toVipswapError } from './problem.ts'
import { admitToRoad } from './road/admission.ts'
import type { RoadKeys } from './road/keys.ts'
import { urlForRoutes } from './road/own-name.ts'

interface Parts {
  readonly guard: Guard
  readonly keys: RoadKeys
  readonly proxy: InstanceProxy
  readonly audit: AuditLog | null
}

/** A WebSocket to an instance, which goes past the router: let in and recorded here as the router's calls are there. */
export function upgradeToInstance(
  { guard, keys, proxy, audit }: Parts,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  socket.on('error', () => socket.destroy())
  let caller = ANYBODY
  request.url = urlForRoutes(keys, request)
  // What is forwarded has another one.
  const { url = '' } = request
  try {
    caller = admitToRoad(guard, keys, request)
    checkRole(caller, 'askInstance')
    proxy.upgrade(request, socket, head)
    auditUpgrade(audit, request, { caller, url, status: 101, code: null })
  } catch (thrown) {
    const error = toVipswapError(thrown)
    auditUpgrade(audit, request, { caller, url, status: error.status, code: error.code })
    lastWords(socket, rawProblem(error))
  }
}
