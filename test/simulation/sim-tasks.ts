import type { Task, TaskReport } from '../../src/contracts/task.ts'
import { projectTasks } from '../../src/fabric/tasks.ts'
import type { FabricState } from '../../src/fabric/state.ts'
import { HOOK_EVENTS } from '../../src/model/hooks.ts'
import type { Prng } from './prng.ts'
import type { World } from './world.ts'

/** Which hooks the simulated fabric has. */
export const SIM_HOOKS = { all: [], services: { shop: HOOK_EVENTS } }

interface Run {
  readonly life: number
  work: string
}

/** Runs tasks as the controller's runner would: late, sometimes failing, now and then saying everything twice. */
export class SimTasks {
  readonly #world: World
  readonly #report: (id: string, report: TaskReport) => void
  readonly #running = new Map<string, Run>()
  #life = 0
  readonly #dice: Prng

  constructor(world: World, report: (id: string, report: TaskReport) => void) {
    this.#world = world
    this.#dice = world.dice('tasks')
    this.#report = report
  }

  look(state: FabricState): void {
    const tasks = projectTasks(state)
    const ids = new Set(tasks.map(({ id }) => id))
    for (const id of this.#running.keys()) if (!ids.has(id)) this.#running.delete(id)
    for (const task of tasks) {
      const work = JSON.stringify(task.work)
      const run = this.#running.get(task.id)
      if (run?.work === work) continue
      this.#running.set(task.id, { life: this.#life, work })
      this.#after(task, work)
    }
  }

  /** The controller died, and its runner with it: the next one begins all of them again. */
  died(): void {
    this.#life += 1
    this.#running.clear()
  }

  #after(task: Task, work: string): void {
    const random = this.#dice
    const life = this.#life
    this.#world.after(random.between(1, 3000), () => {
      // What was told something else, or is not wanted any more, or was another life's, says nothing.
      const run = this.#running.get(task.id)
      if (this.#life !== life || run?.work !== work) return
      const report = this.#outcome(task)
      this.#report(task.id, report)
      if (random.chance(0.2)) this.#report(task.id, report)
      if (report.kind === 'waiting' && this.#life === life) this.#after(task, work)
    })
  }

  #outcome({ work }: Task): TaskReport {
    const random = this.#dice
    const { calm } = this.#world
    const ok = calm || random.chance(0.9)
    if (work.kind === 'hook' && work.retry && !calm && random.chance(0.4)) return { kind: 'waiting', detail: 'not yet' }
    if (work.kind !== 'verify' || !ok) return { kind: 'done', ok, detail: ok ? '' : 'a simulated no' }
    // How many were sent is the proxies' to tell; here they count none of them.
    return { kind: 'reached', phase: work.phase, sent: 0 }
  }
}
