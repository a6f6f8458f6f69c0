import type { FabricState } from '../../fabric/state.ts'
import type { TaskRecord } from '../../fabric/operation-record.ts'
import { isPaused } from '../../fabric/verify/paused.ts'

/** What tasks an operation waits for, in words; '' where there are none. */
export function tasksOf(state: FabricState, operation: string): string {
  return Object.values(state.tasks)
    .filter(
      task => task.operation === operation && task.outcome === null && task.owner !== 'nobody' && !hasEnough(task),
    )
    .map(task => wordsFor(task, isPaused(state, task)))
    .join(', ')
}

/** Probe traffic goes on after that, and nothing waits for it. */
function hasEnough({ work, reached }: TaskRecord): boolean {
  return work.kind === 'verify' && reached?.phase === work.phase
}

function wordsFor({ name, work, waiting }: TaskRecord, held: boolean): string {
  switch (work.kind) {
    case 'hook':
      return `hook ${name}${waiting === null ? '' : ` (not yet: ${waiting})`}`
    case 'warm':
      return `${work.instance} to answer its warmUp requests`
    case 'verify':
      return `probe traffic (${work.phase})${held ? ', none of it before the pause is over (`vipswap resume`)' : ''}`
  }
}
