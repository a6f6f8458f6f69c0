import type { Logger } from '../../src/core/logger.ts'
import { patience } from './patience.ts'
import type { WorkerProcess } from './worker-process.ts'

/** A worker that does not do what it was told within this is hung, and is replaced. */
const HUNG_MS = 5000

/** Does `act` with each worker; one that is hung is killed, its place is taken by a new one. */
export async function withEach(
  workers: readonly WorkerProcess[],
  log: Logger,
  act: (worker: WorkerProcess) => Promise<void>,
): Promise<void> {
  await Promise.all(
    workers.map(async worker => {
      const answered = patience(HUNG_MS, () => {
        log.error({ worker: worker.pid }, 'a worker hangs and is killed')
        worker.kill()
      })
      await act(worker)
      answered()
    }),
  )
}
