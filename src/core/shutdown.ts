import type { Logger } from './logger.ts'
import { errorMessage } from './errors.ts'

/**
 * Ends a process in order on SIGTERM or SIGINT: runs `stop` once, then exits 0. A second signal, or `deadlineMs`
 * without an end, exits 1 at once. The returned function starts the same from inside the program.
 */
export function onShutdown(
  stop: (reason: string) => Promise<void>,
  options: { deadlineMs: number; log: Logger },
): (reason: string) => void {
  let stopping = false
  const begin = (reason: string): void => {
    if (stopping) {
      options.log.warn({ reason }, 'told to stop again: leaving at once')
      process.exit(1)
    }
    stopping = true
    options.log.info({ reason }, 'stopping')
    setTimeout(() => {
      options.log.error('did not stop in time')
      process.exit(1)
    }, options.deadlineMs).unref()
    stop(reason).then(
      () => process.exit(0),
      (error: unknown) => {
        options.log.error({ error: errorMessage(error) }, 'stopping failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', () => begin('SIGTERM'))
  process.on('SIGINT', () => begin('SIGINT'))
  return begin
}
