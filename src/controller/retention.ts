import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { Reconciler } from './reconciler.ts'

/** Collects packages nobody needs after each ended operation, one collection at a time. Returns how to stop. */
export function startRetention(reconciler: Reconciler, gc: () => Promise<unknown>, log: Logger): () => void {
  let running = false
  let again = false
  const collect = async (): Promise<void> => {
    if (running) {
      again = true
      return
    }
    running = true
    do {
      again = false
      try {
        await gc()
      } catch (error) {
        log.warn({ error: errorMessage(error) }, 'collecting old packages failed; the next operation tries again')
      }
    } while (again)
    running = false
  }
  const onEvent = ({ kind }: { kind: string }): void => {
    if (kind === 'operation-ended') void collect()
  }
  reconciler.on('event', onEvent)
  return () => reconciler.off('event', onEvent)
}
