import type { AccessRole } from '../../core/access-role.ts'

/** Who asks, and how that is known. */
export interface Caller {
  readonly name: string
  readonly role: AccessRole
  /** `local`: nothing is asked for, so only this machine can call. `open`: what was called needs nothing. */
  readonly means: 'local' | 'open' | 'token' | 'certificate'
}

/** Whoever calls where nothing is asked for. */
export const LOCAL: Caller = { name: 'local', role: 'admin', means: 'local' }
/** Whoever calls what is open to all. */
export const ANYBODY: Caller = { name: 'anybody', role: 'viewer', means: 'open' }
