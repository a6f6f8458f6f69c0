import type { Logger } from '../core/logger.ts'
import type { Reconciler } from './reconciler.ts'

/** The timeline in the log, each line with what it is about: `operation` is the same id in the lines of proxies and agents. */
export function logEvents(reconciler: Reconciler, log: Logger): void {
  reconciler.on('event', ({ kind, message, ...about }) => log.info({ event: kind, ...about }, message))
}
