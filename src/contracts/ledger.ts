import type { LedgerRow } from '../model/ledger-row.ts'

export type { BrokenCause, LedgerRow } from '../model/ledger-row.ts'

export interface LedgerSnapshot {
  /** The proxy incarnation that counted. */
  readonly incarnation: string
  readonly rows: readonly LedgerRow[]
}
