import type { HookFacts } from '../../contracts/task.ts'
import { own } from '../../core/own.ts'
import type { HookEvent } from '../../model/hooks.ts'
import type { Draft } from '../draft.ts'
import type { FabricSettings } from '../state.ts'
import type { TaskRecord } from '../operation-record.ts'
import { beginTask, taskOf } from '../tasks.ts'

/** What a hook says. */
export type HookAnswer =
  | { readonly kind: 'go' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'fail'; readonly message: string }

export interface HookAsk {
  readonly event: HookEvent
  readonly owner: TaskRecord['owner']
  readonly facts: Omit<HookFacts, 'event' | 'revision'>
}

/** Is there such a hook for a service, its own or everyone's? */
function isHooked({ hooks }: FabricSettings, service: string, event: HookEvent): boolean {
  return hooks !== undefined && [...hooks.all, ...(own(hooks.services, service) ?? [])].includes(event)
}

function nameOf({ event, facts }: HookAsk): string {
  return facts.domain === null ? event : `${event}/${facts.domain}`
}

/**
 * Runs a hook once, or `confirm-domain` until it has an answer. Where there is no such hook, the way is free. One that
 * failed is forgotten: what comes to this step again asks it anew.
 */
export function askHook(draft: Draft, ask: HookAsk): HookAnswer {
  const { event, facts, owner } = ask
  const name = nameOf(ask)
  const task = taskOf(draft, facts.operation, name)
  // A hook that was asked for is heard also if it has been taken from vipswap.yaml meanwhile.
  if (task === undefined) {
    if (!isHooked(draft.fabric.settings, facts.service, event)) return { kind: 'go' }
    const { term, n } = draft.revision
    beginTask(draft, {
      operation: facts.operation,
      service: facts.service,
      deployment: facts.deployment,
      name,
      owner,
      work: { kind: 'hook', facts: { event, ...facts, revision: `${term}.${n}` }, retry: event === 'confirm-domain' },
    })
    return { kind: 'wait' }
  }
  if (task.outcome === null) return { kind: 'wait' }
  const message = refusalOf(draft, ask)
  return message === null ? { kind: 'go' } : { kind: 'fail', message }
}

/** A hook's no, heard once: then it is forgotten. */
export function refusalOf(draft: Draft, ask: HookAsk): string | null {
  const name = nameOf(ask)
  const task = taskOf(draft, ask.facts.operation, name)
  if (task?.outcome?.ok !== false) return null
  draft.tasks.delete(task.id)
  return `hook ${name}: ${task.outcome.detail}`
}

/** The step is taken: the next time it is asked anew. */
export function forgetHook(draft: Draft, ask: HookAsk): void {
  const task = taskOf(draft, ask.facts.operation, nameOf(ask))
  if (task !== undefined) draft.tasks.delete(task.id)
}
