import type { Task, TaskReport } from '../contracts/task.ts'
import type { Draft } from './draft.ts'
import { baselineOf } from './receipts.ts'
import { isHeld } from './recovery.ts'
import type { FabricState } from './state.ts'
import type { TaskRecord } from './operation-record.ts'
import { isPaused } from './verify/paused.ts'

/** Output of a hook, or the words of a loss, that are kept. */
const MAX_DETAIL = 1000

/** What is to be run now, by id: the runner starts what is new, tells what has other work, and ends what is not listed. */
export function projectTasks(state: FabricState): Task[] {
  if (isHeld(state)) return []
  return Object.values(state.tasks)
    .filter(task => task.outcome === null && !isPaused(state, task))
    .map(({ id, work }) => ({ id, work }))
}

/** Records a task; it is run once this change is durable. `name` is unique within its operation. */
export function beginTask(
  draft: Draft,
  asked: Pick<TaskRecord, 'operation' | 'service' | 'deployment' | 'name' | 'owner' | 'work'>,
): TaskRecord {
  const number = draft.fabric.nextTask ?? 1
  draft.fabric.nextTask = number + 1
  const id = `task-${number}`
  return draft.tasks.put(id, {
    id,
    ...asked,
    outcome: null,
    reached: null,
    waiting: null,
    // Only probe traffic is held against what the proxies count.
    baseline: asked.work.kind === 'verify' ? baselineOf(draft, asked.service) : {},
  })
}

/** The task of a name within an operation. */
export function taskOf(draft: Draft, operation: string, name: string): Readonly<TaskRecord> | undefined {
  return [...draft.tasks.values()].find(task => task.operation === operation && task.name === name)
}

/** What a runner says. Of a task that is gone, or has its outcome, nothing more is heard: it may come twice. */
export function takeReport(draft: Draft, id: string, report: TaskReport): void {
  const seen = draft.tasks.get(id)
  if (seen === undefined || seen.outcome !== null) return
  const task = draft.tasks.edit(id)
  if (task === undefined) return
  switch (report.kind) {
    case 'reached':
      task.reached = { phase: report.phase, sent: report.sent }
      break
    case 'waiting':
      if (task.waiting === null) tell(draft, task, `not yet: ${report.detail}`)
      task.waiting = bounded(report.detail)
      break
    case 'done':
      task.outcome = { ok: report.ok, detail: bounded(report.detail) }
      tell(draft, task, `${report.ok ? 'done' : 'failed'}${report.detail === '' ? '' : `: ${report.detail}`}`)
      break
  }
}

function tell(draft: Draft, task: Readonly<TaskRecord>, text: string): void {
  draft.event(task.work.kind, `${task.name} ${bounded(text)}`, {
    service: task.service,
    operation: task.operation,
    ...(task.deployment === null ? {} : { deployment: task.deployment }),
  })
}

function bounded(text: string): string {
  return text.length > MAX_DETAIL ? `${text.slice(0, MAX_DETAIL)}…` : text
}

/** Forgets what nobody waits for any more: with its operation, with its walk, or, of what stands alone, when it is done. */
export function pruneTasks(draft: Draft): void {
  for (const id of draft.tasks.keys()) {
    const task = draft.tasks.get(id)
    if (task !== undefined && !isWanted(draft, task)) draft.tasks.delete(id)
  }
}

function isWanted(draft: Draft, task: Readonly<TaskRecord>): boolean {
  switch (task.owner) {
    case 'operation':
      return draft.operations.get(task.operation)?.status === 'InProgress'
    case 'walk': {
      const upgrade = draft.deployments.get(task.deployment ?? '')?.upgrade
      return upgrade != null && upgrade.direction === 'forward' && upgrade.operation === task.operation
    }
    case 'nobody':
      return task.outcome === null
  }
}

/** A runner that starts anew counts its requests, and waits for its confirmations, anew. */
export function restartTasks(draft: Draft): void {
  for (const id of draft.tasks.keys()) {
    const task = draft.tasks.get(id)
    if (task === undefined || task.reached === null) continue
    const again = draft.tasks.edit(id)
    if (again !== undefined) again.reached = null
  }
}
