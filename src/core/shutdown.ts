import type { Logger } from './logger.ts'
import { errorMessage } from './errors.ts'

/**
 * Ends a process in order on SIGTERM or SIGINT: runs `stop` once, then exits 0. A second *signal*, or `deadlineMs`
 * without an end, exits 1 at once. The returned function starts the same from inside the program; a signal after it is
 * the first, so that whoever sends one meanwhile does not cut the end short.
 */
export function onShutdown(
  stop: (reason: string) => Promise<void>,
  options: { deadlineMs: number; log: Logger },
): (reason: string) => void {
  let stopping = false
  let signals = 0
  const begin = (reason: string): void => {
    if (stopping) return
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
  const onSignal = (reason: string): void => {
    signals++
    if (signals > 1) {
      options.log.warn({ reason }, 'told to stop again: leaving at once')
      process.exit(1)
    }
    begin(reason)
  }
  process.on('SIGTERM', () => onSignal('SIGTERM'))
  process.on('SIGINT', () => onSignal('SIGINT'))
  return begin
}
