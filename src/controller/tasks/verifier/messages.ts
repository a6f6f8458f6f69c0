import type { TaskWork } from '../../../contracts/task.ts'

export interface ToVerifier {
  readonly type: 'work'
  readonly work: Extract<TaskWork, { kind: 'verify' }>
}

export type FromVerifier =
  /** `sent`: all requests since this process began. */
  | { readonly type: 'reached'; readonly phase: string; readonly sent: number }
  | { readonly type: 'lost'; readonly detail: string }
