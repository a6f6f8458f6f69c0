import { startAnchor } from './anchor.ts'
import type { Draft } from './draft.ts'
import type { InstanceRecord, ProcessRecord, Stage } from './state.ts'

/** After the drain deadline the proxy still closes tunnels in good order; the process is told to stop this much later. */
export const DRAIN_GRACE_MS = 5000

/** A new stage begins: from this revision and this moment on. */
export function enter(draft: Draft, instance: ProcessRecord, stage: Stage): void {
  instance.stage = stage
  instance.since = draft.revision
  instance.anchor = startAnchor(draft.now)
  instance.counted = undefined
}

/** What is to follow once an instance is down. */
export type Next =
  | { kind: 'restart'; spec: string; clean?: 'none' | 'system' | 'all' }
  | { kind: 'stop' }
  | { kind: 'remove' }

/** Begins the planned way down of an instance. What it stands beside serves on, unless the instance is not to come back. */
export function takeDown(draft: Draft, instance: InstanceRecord, next: Next): void {
  descend(draft, instance, next)
  if (next.kind !== 'restart' && instance.beside !== undefined) descend(draft, instance.beside, { kind: 'remove' })
}

/**
 * Begins the planned way down of one process (design rule 5). An instance that is already on it only gets its new destination;
 * one that carries no traffic skips the drain but still waits until every proxy has acknowledged a table without it.
 */
export function descend(draft: Draft, instance: ProcessRecord, next: Next): void {
  instance.next = next.kind
  instance.nextSpec = next.kind === 'restart' ? next.spec : null
  instance.nextClean = next.kind === 'restart' ? (next.clean ?? 'none') : 'none'
  if (next.kind === 'restart') instance.hopeless = false
  switch (instance.stage) {
    case 'planned':
      enter(draft, instance, 'stopping')
      break
    case 'stopped':
      // It was told to stop when it came here, and has been since.
      instance.stage = 'stopping'
      break
    case 'starting':
      enter(draft, instance, 'retiring')
      break
    case 'serving':
      if (instance.published === null) {
        enter(draft, instance, 'retiring')
      } else {
        instance.published = { ...instance.published, membership: 'draining' }
        enter(draft, instance, 'draining')
      }
      break
    case 'draining':
    case 'retiring':
    case 'stopping':
      break
  }
}

/**
 * Undoes a way down whose process has not been told to stop yet: true, and the instance serves on as the process it is.
 * False where the stop is already on its way.
 */
export function keepUp(draft: Draft, instance: ProcessRecord): boolean {
  if (instance.stage !== 'draining' && instance.stage !== 'retiring') return false
  instance.next = null
  instance.nextSpec = null
  if (instance.stage === 'draining') {
    // Chosen again once it is seen ready: it may have failed meanwhile.
    enter(draft, instance, 'serving')
  } else {
    enter(draft, instance, 'starting')
  }
  return true
}
