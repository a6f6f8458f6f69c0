import type { FabricState, TaskRecord } from '../../fabric/state.ts'

/** What tasks an operation waits for, in words; '' where there are none. */
export function tasksOf(state: FabricState, operation: string): string {
  return Object.values(state.tasks)
    .filter(task => task.operation === operation && task.outcome === null && task.owner !== 'nobody')
    .map(wordsFor)
    .join(', ')
}

function wordsFor({ name, work, waiting, reached }: TaskRecord): string {
  switch (work.kind) {
    case 'hook':
      return `hook ${name}${waiting === null ? '' : ` (not yet: ${waiting})`}`
    case 'warm':
      return `${work.instance} to answer its warmUp requests`
    case 'verify':
      return reached?.phase === work.phase ? 'probe traffic goes on' : `probe traffic (${work.phase})`
  }
}
