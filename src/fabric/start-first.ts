import { startAnchor } from './anchor.ts'
import { comesBeside } from './beside.ts'
import type { Draft } from './draft.ts'
import { highestIncarnation, homeOf, settleOn } from './instances.ts'
import { descend, keepUp, takeDown } from './way-down.ts'
import { isReady } from './seen.ts'
import type { InstanceRecord, ProcessRecord, RoleRecord } from './state.ts'

// The one variant of the drain order (design rule 5): the new process becomes ready beside the old one, enters the table,
// then the old one is drained and stopped. The record is the new process's from its first moment on, and holds the old one
// in `beside`; each step is one commit, and from each a new controller goes on.

/**
 * Brings an instance to `spec`: beside what serves where that is possible, else by way of a stop. `clean`: what goes of its
 * folders on the way; in its other lane all of them are fresh.
 */
export function moveTo(
  draft: Draft,
  role: Readonly<RoleRecord>,
  instance: InstanceRecord,
  { spec, clean }: { spec: string; clean: 'none' | 'system' | 'all' },
): void {
  const { beside } = instance
  if (beside === undefined) {
    const serves = instance.stage === 'serving' && instance.published !== null
    // Nothing new comes to a lost node, also where there is no other.
    const lost = draft.nodes.get(homeOf(draft, role, instance)?.name ?? '')?.lost === true
    if (serves && !lost && comesBeside(role, instance, spec)) standBeside(draft, role, instance, spec)
    else takeDown(draft, instance, { kind: 'restart', spec, clean })
  } else if (beside.spec === spec && (beside.next === null || keepUp(draft, beside))) {
    exchange(draft, instance, beside)
  } else if (beside.next !== null && isReady(instance) && comesBeside(role, instance, spec)) {
    // The other lane is on its way down: it comes back as what is wanted, while this one serves.
    descend(draft, beside, { kind: 'restart', spec, clean: 'all' })
    exchange(draft, instance, beside)
  } else {
    descend(draft, instance, { kind: 'restart', spec, clean })
  }
}

/** Starts the instance anew in its other lane; what it was stands beside it and serves. */
export function standBeside(draft: Draft, role: Readonly<RoleRecord>, instance: InstanceRecord, spec: string): void {
  const { beside: _none, ...before } = instance
  const home = homeOf(draft, role, instance)
  if (home !== null) settleOn(draft, role, instance, home)
  Object.assign(instance, {
    spec,
    incarnation: highestIncarnation(instance) + 1,
    lane: before.lane === undefined ? 'b' : undefined,
    stage: 'starting',
    nextClean: 'none',
    clean: 'all',
    since: draft.revision,
    anchor: startAnchor(draft.now),
    published: null,
    hopeless: false,
    overfull: undefined,
    beside: before,
  } satisfies Partial<InstanceRecord>)
}

/** The other process becomes the instance; the one that was serves until that is ready, and goes at once if it does not serve. */
function exchange(draft: Draft, instance: InstanceRecord, other: ProcessRecord): void {
  const { beside: _other, ...current } = instance
  const spent = highestIncarnation(instance)
  // Fields that only the one had must not stay.
  Object.assign(instance, { lane: undefined, overfull: undefined }, other, { spent, beside: current })
  if (!isReady(current)) descend(draft, current, { kind: 'remove' })
}
