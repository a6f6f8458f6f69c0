import type { AccessRole } from '../../core/access-role.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { Caller } from '../access/caller.ts'

/** One line of the audit log: who wanted what done to which thing, and what became of it. */
export interface AuditRecord {
  readonly at: string
  readonly requestId: string | null
  readonly by: string
  readonly role: AccessRole
  readonly means: Caller['means']
  /** The address the connection came from. */
  readonly from: string
  readonly method: string
  /** Without its query. */
  readonly path: string
  /** As in /openapi.json; null where there is no such call. */
  readonly call: string | null
  readonly target: Readonly<Record<string, string>>
  /** SHA-256 of the body as it came; null where there was none, or it was not read here. */
  readonly bodyDigest: string | null
  readonly idempotencyKey: string | null
  /** `refused`: nothing was done. `unknown`: the caller left before there was an answer. */
  readonly outcome: 'done' | 'refused' | 'failed' | 'unknown'
  readonly status: number
  readonly code: ErrorCode | null
  readonly operation: string | null
}
