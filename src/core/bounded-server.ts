import type { Server } from 'node:net'
import type { Logger } from './logger.ts'
import { readSystemLimits } from './system-limits.ts'

/** How long a caller may take for the head of a request, and how often that is looked at: Node's own is a minute, and none at all without `requestTimeout`. */
export function headTimes(headTimeoutMs = 10_000): { headersTimeout: number; connectionsCheckingInterval: number } {
  return { headersTimeout: headTimeoutMs, connectionsCheckingInterval: Math.ceil(headTimeoutMs / 2) }
}

const SAY_EVERY_MS = 60_000

/**
 * Bounds how many connections a server has: `most`, and no more than a share of the descriptors that this process may have,
 * so that whoever connects without end takes none of those that the journal needs. What is above that is closed at once.
 */
export function boundConnections(
  server: Server,
  bounds: { readonly most: number; readonly share: number; readonly what: string; readonly log: Pick<Logger, 'warn'> },
): void {
  const { most, share, what, log } = bounds
  const { openFiles } = readSystemLimits()
  server.maxConnections = Math.min(most, Math.floor((openFiles ?? Infinity) * share))
  let saidAt = -Infinity
  server.on('drop', () => {
    if (performance.now() - saidAt < SAY_EVERY_MS) return
    saidAt = performance.now()
    log.warn({ connections: server.maxConnections }, `${what} has as many connections as it takes; more are closed`)
  })
}
