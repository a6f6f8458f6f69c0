import type { RoutingTable } from '../../src/contracts/routing.ts'
import type { Logger } from '../../src/core/logger.ts'
import { withEach } from './hung.ts'
import { leadsElsewhere, switchTogether } from './two-levels.ts'
import type { WorkerProcess } from './worker-process.ts'

/** How long callers may wait for all workers to hold; doubled each time it is not enough, on a machine that is that slow. */
const PREPARE_MS = 500
const PREPARE_CAP_MS = 4000

/** Brings all workers from one table to the next: in two levels where callers are led elsewhere, else each in its own time. */
export class TableChange {
  readonly #log: Logger
  #attempt = 0
  #prepareMs = PREPARE_MS

  constructor(log: Logger) {
    this.#log = log
  }

  /** False: a worker did not answer and nothing has changed in any. `before` null: this is the first table. */
  async make(workers: readonly WorkerProcess[], before: RoutingTable | null, table: RoutingTable): Promise<boolean> {
    if (workers.length < 2 || before === null || !leadsElsewhere(before, table)) {
      for (const worker of workers) worker.send({ type: 'apply', table })
      return true
    }
    const log = this.#log
    // Nobody holds anything before all have the table and have shown that they are awake; who hangs is replaced.
    await withEach(workers, log, async worker => {
      worker.send({ type: 'stage', table })
      await worker.sync()
      log.debug({ worker: worker.pid, revision: table.revision }, 'a worker has the table')
    })
    const awake = workers.filter(worker => !worker.gone)
    const late = await switchTogether(awake, ++this.#attempt, this.#prepareMs, log)
    if (late.length > 0) {
      const pids = late.map(worker => worker.pid)
      log.warn({ revision: table.revision, late: pids, afterMs: this.#prepareMs }, 'a table was put off')
      this.#prepareMs = Math.min(2 * this.#prepareMs, PREPARE_CAP_MS)
      return false
    }
    this.#prepareMs = PREPARE_MS
    await withEach(awake, log, async worker => worker.sync())
    const heldMs = Math.max(...awake.map(worker => worker.heldMs))
    log.info({ revision: table.revision, workers: awake.length, heldMs }, 'callers were led elsewhere')
    return true
  }
}
