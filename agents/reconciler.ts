import type { Assignment } from '../src/contracts/assignment.ts'
import { compareRevisions, type Revision } from '../src/contracts/revision.ts'

/** Pure: what an agent does about what it was told. */
export type AssignmentVerdict =
  | { readonly kind: 'apply' }
  | { readonly kind: 'older'; readonly applied: Revision }
  | { readonly kind: 'foreign'; readonly reason: string }

export interface Known {
  readonly node: string
  /** Fabric and revision of the assignment applied last; null before the first. */
  readonly fabric: string | null
  readonly applied: Revision | null
}

/** Lower revisions are refused, the same one may be repeated; another fabric's or node's word is none of ours. */
export function judgeAssignment(known: Known, assignment: Assignment): AssignmentVerdict {
  if (assignment.node !== known.node) {
    return { kind: 'foreign', reason: `it is for node ${assignment.node}, this is ${known.node}` }
  }
  if (known.fabric !== null && assignment.fabric !== known.fabric) {
    return { kind: 'foreign', reason: `it is of fabric ${assignment.fabric}, this node belongs to ${known.fabric}` }
  }
  if (known.applied !== null && compareRevisions(assignment.revision, known.applied) < 0) {
    return { kind: 'older', applied: known.applied }
  }
  return { kind: 'apply' }
}

export interface InstanceSituation {
  /** undefined: not told yet; null: not in the assignment. */
  readonly wanted: { readonly incarnation: number; readonly desired: 'run' | 'stop' } | null | undefined
  /** The live process, if any. */
  readonly running: { readonly incarnation: number; readonly expired: boolean } | null
  /** The whole node is stopping. */
  readonly stopAll: boolean
  /** Until the next start is due. */
  readonly delayMs: number
}

export type StopReason = 'node-stopping' | 'removed' | 'asked' | 'replaced' | 'start-timeout'

export type Step =
  | { readonly kind: 'stop'; readonly reason: StopReason }
  | { readonly kind: 'start' }
  | { readonly kind: 'remove' }
  /** Nothing to do until something changes. */
  | { readonly kind: 'rest'; readonly stopped: boolean }
  | { readonly kind: 'wait'; readonly ms: number }

/** The one next step of one instance. Repeated with the same situation it gives the same answer. */
export function decideStep({ wanted, running, stopAll, delayMs }: InstanceSituation): Step {
  if (running !== null) {
    const reason = reasonToStop({ wanted, running, stopAll })
    return reason === null ? { kind: 'rest', stopped: false } : { kind: 'stop', reason }
  }
  if (stopAll) return { kind: 'rest', stopped: true }
  if (wanted === undefined) return { kind: 'rest', stopped: true }
  if (wanted === null) return { kind: 'remove' }
  if (wanted.desired === 'stop') return { kind: 'rest', stopped: true }
  return delayMs > 0 ? { kind: 'wait', ms: delayMs } : { kind: 'start' }
}

/** Why a process of `running.incarnation` must not go on; null if it may. Silence of the controller is never a reason. */
export function reasonToStop({
  wanted,
  running,
  stopAll,
}: Pick<InstanceSituation, 'wanted' | 'stopAll'> & {
  readonly running: { readonly incarnation: number; readonly expired: boolean }
}): StopReason | null {
  if (stopAll) return 'node-stopping'
  if (wanted === null) return 'removed'
  if (wanted?.desired === 'stop') return 'asked'
  if (wanted !== undefined && wanted.incarnation > running.incarnation) return 'replaced'
  return running.expired ? 'start-timeout' : null
}
