import type { Command } from '../../../src/contracts/command.ts'
import type { Task, TaskReport } from '../../../src/contracts/task.ts'
import { projectTasks } from '../../../src/fabric/tasks.ts'
import type { Slot } from '../../../src/model/slot.ts'
import type { HookEvent } from '../../../src/model/hooks.ts'
import type { Release } from '../../../src/model/release.ts'
import type { Lab } from './lab.ts'

export const swap = { kind: 'swap', service: 'shop' } as const

export function create(release: Release, slot: Slot, settings: Record<string, string> = {}): Command {
  return {
    kind: 'create',
    service: 'shop',
    slot,
    package: release.digest,
    replace: false,
    configuration: { roles: { web: { settings } } },
  }
}

/** What a runner would have to run now. */
export function tasks(lab: Lab): Task[] {
  return projectTasks(lab.state)
}

/** `pre-swap`, `pre-domain/0`, `warm web_IN_0`, `verify before` … */
export function names(lab: Lab): string[] {
  return tasks(lab).map(({ work }) => {
    if (work.kind === 'warm') return `warm ${work.instance}`
    if (work.kind === 'verify') return `verify ${work.phase}`
    return `${work.facts.event}${work.facts.domain === null ? '' : `/${work.facts.domain}`}`
  })
}

/** A runner's word on the one task whose name begins so. */
export function say(lab: Lab, name: string, report: TaskReport): void {
  const index = names(lab).findIndex(candidate => candidate.startsWith(name))
  const task = tasks(lab)[index]
  if (task === undefined) throw new Error(`no task ${name} among ${names(lab).join(', ')}`)
  lab.input({ kind: 'task-reported', id: task.id, report })
}

export const YES: TaskReport = { kind: 'done', ok: true, detail: 'exit 0' }
export const NO: TaskReport = { kind: 'done', ok: false, detail: 'exit 2: not today' }

/** Every service of the lab has these hooks from now on. */
export function hook(lab: Lab, ...all: HookEvent[]): void {
  Object.assign(lab.settings, { hooks: { all, services: {} } })
  lab.input({ kind: 'restored', settings: lab.settings })
  lab.settle()
}

/** The settings that each instance of a slot is told to run with. */
export function settingsOf(lab: Lab, slot: Slot): string[] {
  const { id } = lab.deployment(slot)
  return Object.values(lab.state.roles)
    .filter(({ deployment }) => deployment === id)
    .flatMap(role => role.instances.map(({ spec }) => JSON.stringify(role.specs[spec]?.settings)))
}
