import type { Logger } from '../../core/logger.ts'
import { own } from '../../core/own.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Task, TaskReport } from '../../contracts/task.ts'
import { isHeld } from '../../fabric/recovery.ts'
import { projectTasks } from '../../fabric/tasks.ts'
import type { FabricState } from '../../fabric/state.ts'
import type { Hooks } from '../../model/hooks.ts'
import type { Reconciler } from '../reconciler.ts'
import { runHook, type Began } from './run-hook.ts'
import { VerifyProcess } from './verify-process.ts'
import { warm } from './warm.ts'

interface Running {
  update(task: Task): void
  /** Resolves once it is over: a command that ignores SIGTERM must not outlive its controller. */
  close(): Promise<void>
}

/** All hooks, and those of single services, which go before. */
export interface HookTable {
  readonly all: Hooks
  readonly services: Readonly<Record<string, Hooks>>
}

/**
 * Runs the tasks of the committed state (design rule 1): what is new is begun, what is gone is ended, and what becomes of one
 * is an input. A controller that takes over begins those without an outcome again.
 */
export class TaskRunner {
  readonly #reconciler: Reconciler
  readonly #hooks: HookTable
  readonly #log: Logger
  readonly #began: Began
  readonly #running = new Map<string, Running>()
  /** Of tasks that are gone, and not over yet. */
  readonly #ending = new Set<Promise<void>>()
  #taken: Pick<FabricState, 'tasks' | 'services'> | null = null
  #held = false
  readonly #look: (state: FabricState) => void

  constructor(reconciler: Reconciler, hooks: HookTable, log: Logger, began: Began) {
    this.#began = began
    this.#reconciler = reconciler
    this.#hooks = hooks
    this.#log = log
    this.#look = state => this.#take(state)
    reconciler.on('state', this.#look)
    this.#take(reconciler.state)
  }

  async close(): Promise<void> {
    this.#reconciler.off('state', this.#look)
    const ends = [...this.#running.values()].map(running => running.close())
    this.#running.clear()
    await Promise.all([...ends, ...this.#ending])
  }

  #take(state: FabricState): void {
    const held = isHeld(state)
    // Of a service a pause may hold what is to be sent.
    const isKnown = state.tasks === this.#taken?.tasks && state.services === this.#taken.services
    if (isKnown && held === this.#held) return
    this.#taken = state
    this.#held = held
    const tasks = projectTasks(state)
    const ids = new Set(tasks.map(({ id }) => id))
    for (const [id, running] of this.#running) {
      if (ids.has(id)) continue
      this.#running.delete(id)
      const end = running.close().finally(() => this.#ending.delete(end))
      this.#ending.add(end)
    }
    for (const task of tasks) {
      const running = this.#running.get(task.id)
      if (running !== undefined) running.update(task)
      else this.#running.set(task.id, this.#begin(task))
    }
  }

  #begin({ id, work }: Task): Running {
    const report = (said: TaskReport): void => {
      this.#log.info({ task: id, work: work.kind, ...said }, 'task')
      this.#reconciler.enqueue({ kind: 'task-reported', id, report: said })
    }
    if (work.kind === 'verify') {
      const traffic = new VerifyProcess(work, report)
      return {
        update: next => {
          if (next.work.kind === 'verify') traffic.update(next.work)
        },
        close: async () => traffic.close(),
      }
    }
    const end = new AbortController()
    const run = async (): Promise<void> => {
      if (work.kind === 'warm') {
        await warm(work, report, end.signal)
        return
      }
      const { event, service } = work.facts
      const hook = own(this.#hooks.services, service)?.[event] ?? this.#hooks.all[event]
      if (hook !== undefined) await runHook(hook, work, report, end.signal, this.#began)
      else report({ kind: 'done', ok: true, detail: 'there is no such hook any more' })
    }
    const over = run().catch((thrown: unknown) => report({ kind: 'done', ok: false, detail: errorMessage(thrown) }))
    return {
      update: () => undefined,
      close: () => {
        end.abort()
        return over
      },
    }
  }
}
