import type { Applied } from '../fabric/apply.ts'
import type { Input, Observation } from '../fabric/input.ts'
import type { FabricState } from '../fabric/state.ts'

/** An input that waits for its turn; whoever is to hear of its outcome waits with it. */
export interface Queued {
  readonly input: Input
  /** Asked of the very state that the input is about to change; throws to refuse it. */
  readonly check: ((state: FabricState) => void) | null
  readonly done: ((applied: Applied) => void) | null
  readonly failed: ((error: Error) => void) | null
}

/**
 * The same inputs in the same order, with observations that follow one another, and whose outcome nobody waits for, taken
 * together: a pass over a large fabric costs the same whatever number of peers have spoken.
 */
export function inBatches(queue: readonly Queued[]): Queued[] {
  const batches: Queued[] = []
  let together: Observation[] = []
  const close = (): void => {
    const [first] = together
    if (first === undefined) return
    const input: Input = together.length === 1 ? first : { kind: 'observed', batch: together }
    batches.push({ input, check: null, done: null, failed: null })
    together = []
  }
  for (const queued of queue) {
    if (queued.done === null && queued.failed === null && isObservation(queued.input)) together.push(queued.input)
    else {
      close()
      batches.push(queued)
    }
  }
  close()
  return batches
}

const OBSERVATIONS: ReadonlySet<string> = new Set<Observation['kind']>([
  'proxy-acknowledged',
  'proxy-status',
  'proxy-reached',
  'agent-observed',
  'agent-reached',
])

function isObservation(input: Input): input is Observation {
  return OBSERVATIONS.has(input.kind)
}
