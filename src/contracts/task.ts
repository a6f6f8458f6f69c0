import type { HookEvent } from '../model/hooks.ts'
import type { StatusRange, VerifyProbe } from '../model/role-traffic.ts'

/** What a hook is told. Times and texts as in the API; what does not apply is null. */
export interface HookFacts {
  readonly event: HookEvent
  readonly operation: string
  readonly kind: string
  readonly service: string
  readonly slot: string | null
  readonly deployment: string | null
  readonly domain: number | null
  readonly fromVersion: string | null
  readonly toVersion: string | null
  /** `term.n` of the change that asked for it. */
  readonly revision: string
}

/** One address that probe traffic goes to, and what is sent there. */
export interface VerifyTarget {
  /** `http://127.0.0.1:8080` */
  readonly origin: string
  /** Sent as Host, and as the name asked for over TLS. */
  readonly host: string
  readonly probes: readonly VerifyProbe[]
  /** Short requests that must have been answered before the phase is over. */
  readonly atLeast: number
}

/**
 * An effect that is not a level (design rule 1): run at least once, its result an input. `hook`: one call. `warm`: requests
 * to one instance, until each was answered well. `verify`: traffic that goes on until the task is gone; it says when a
 * phase has had enough of it.
 */
export type TaskWork =
  | { readonly kind: 'hook'; readonly facts: HookFacts; readonly retry: boolean }
  | {
      readonly kind: 'warm'
      readonly instance: string
      readonly requests: readonly {
        readonly url: string
        readonly host: string
        readonly accept: readonly StatusRange[]
        readonly timeoutMs: number
      }[]
    }
  | { readonly kind: 'verify'; readonly phase: string; readonly targets: readonly VerifyTarget[] }

export interface Task {
  readonly id: string
  readonly work: TaskWork
}

/** What became of a task. */
export type TaskReport =
  | { readonly kind: 'done'; readonly ok: boolean; readonly detail: string }
  /** `verify`: this phase has had enough; `sent` counts all its requests since the task began here. */
  | { readonly kind: 'reached'; readonly phase: string; readonly sent: number }
  /** A confirmation has not been given yet, and why. */
  | { readonly kind: 'waiting'; readonly detail: string }
