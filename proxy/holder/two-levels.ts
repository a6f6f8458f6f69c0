import type { RoutingTable } from '../../src/contracts/routing.ts'
import type { Logger } from '../../src/core/logger.ts'
import { patience } from './patience.ts'
import type { WorkerProcess } from './worker-process.ts'

/**
 * Does the table lead callers elsewhere than the one before? Only then may no worker serve by the old one once another has
 * served by the new one. What only adds, drains or removes instances behind the same addresses may come to each in its own time.
 */
export function leadsElsewhere(before: RoutingTable, after: RoutingTable): boolean {
  return ways(before) !== ways(after)
}

function ways({ listeners }: RoutingTable): string {
  return JSON.stringify(listeners.map(({ key, host, port, hostNames, pool }) => [key, host, port, hostNames, pool]))
}

/**
 * Makes what is staged in all `workers` current in two levels: all hold what arrives; once all do, all go on by the new
 * table. Answers those who did not hold within `deadlineMs`: then all go on by the old table, and nothing has changed.
 * Whoever dies on the way serves nobody and is not waited for; whoever hangs after the first level holds until it wakes.
 */
export async function switchTogether(
  workers: readonly WorkerProcess[],
  attempt: number,
  deadlineMs: number,
  log: Logger,
): Promise<readonly WorkerProcess[]> {
  const late = new Set(workers)
  await new Promise<void>(resolve => {
    const stopWaiting = patience(deadlineMs, resolve)
    const prepare = async (worker: WorkerProcess): Promise<void> => {
      const prepared = worker.prepared(attempt)
      worker.send({ type: 'prepare', attempt })
      await prepared
      late.delete(worker)
      log.debug({ worker: worker.pid, attempt }, 'a worker holds')
      if (late.size > 0) return
      stopWaiting()
      resolve()
    }
    for (const worker of workers) void prepare(worker)
    if (workers.length === 0) {
      stopWaiting()
      resolve()
    }
  })
  const missing = [...late]
  for (const worker of workers) worker.send({ type: missing.length === 0 ? 'commit' : 'abort' })
  return missing
}
