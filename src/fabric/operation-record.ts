import type { OperationKind } from '../contracts/api/operation.ts'
import type { LedgerRow } from '../contracts/ledger.ts'
import type { Durations } from '../model/ledger-row.ts'
import type { Revision } from '../contracts/revision.ts'
import type { TaskWork } from '../contracts/task.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Slot } from '../model/slot.ts'
import type { Configuration } from '../model/definition.ts'
import type { OperationStatus } from '../model/states.ts'
import type { Anchor } from './anchor.ts'
import type { ListenerRecord } from './state.ts'
import type { UpgradeFailure, WalkedDomain } from './upgrade-record.ts'

export interface OperationRecord {
  id: string
  kind: OperationKind
  service: string
  slot: Slot | null
  /** Deployments it holds against other operations. */
  deployments: string[]
  status: OperationStatus
  /** Who asked for it; null: a rule began it, or nobody said. */
  by: string | null
  step: string
  startedAt: number
  startedMono: number
  endedAt: number | null
  error: { code: ErrorCode; message: string } | null
  /** Which revision must be acknowledged for the step to end. */
  since: Revision
  /** Of kind create: the deployment to remove first, and the listeners to return to if binding fails. */
  replaces: string | null
  previousListeners: ListenerRecord[] | null
  /** Of kind reboot, reimage: the instance. Of kind walk: the domain. */
  instance: string | null
  domain: number | null
  from: Record<string, string | null>
  to: Record<string, string | null>
  /** Ledger rows per proxy incarnation when it was accepted; null: it had told none yet. */
  baseline: Record<string, LedgerRow[] | null>
  receipt: ReceiptRecord | null
  /** How long requests took in the seconds before it, by version. */
  before?: Record<string, Durations> | undefined
  /** Requests and tunnels on instances when it took them out of rotation; absent: it took none. */
  drained?: number | undefined
  /** What its receipt says besides figures. */
  remarks: string[]
  /** Of an upgrade that did not reach its end: why, in Service Fabric's words. */
  failure?: UpgradeFailure | undefined
  /** Of kind drain, undrain: the node, where it is one. */
  node?: string | undefined
  /** `force` was given: whose word is not waited for. Its receipt says so. */
  waived?: string[] | undefined
  /** Of one that brings a package: the trusted keys that signed it. */
  signedBy?: readonly string[] | undefined
  /** Of kind swap. */
  swap?: SwapProgress | undefined
}

/** What a swap has to do besides the exchange, and what it has done so far. */
export interface SwapProgress {
  phase: 'swap' | 'prepare' | 'commit' | 'cancel'
  verify: boolean
  /** The walk that gives the candidate its values, or takes them back. */
  walk: string | null
  /** What the candidate was configured by before it got production's values; null: it got none. */
  restore: Configuration | null
  /** When the slots were exchanged. */
  exchangedMono: number | null
  /** Why it is being undone. */
  failure: { code: ErrorCode; message: string } | null
}

/** One task (design rule 1) and what was heard of it. */
export interface TaskRecord {
  id: string
  operation: string
  service: string
  deployment: string | null
  /** Within its operation: `pre-swap`, `pre-domain/2`, `warm/d2/web_IN_0#1.1`, `verify`. */
  name: string
  /** With what it ends unasked: its operation, the walk of its deployment, or nothing. */
  owner: 'operation' | 'walk' | 'nobody'
  work: TaskWork
  outcome: { ok: boolean; detail: string } | null
  /** Of kind verify: the last phase that has had enough. */
  reached: { phase: string; sent: number } | null
  /** Why a confirmation has not been given yet. */
  waiting: string | null
  /** Ledger rows per proxy incarnation when it began; of kind verify. */
  baseline: Record<string, LedgerRow[] | null>
}

export interface ReceiptRecord {
  complete: boolean
  note: string | null
  traffic: (LedgerRow & { open: number })[]
  domains: WalkedDomain[]
  switchMs: number | null
}

/** The seconds after the end of an operation. */
export interface AftermathRecord {
  operation: string
  service: string
  /** Since its end, with the counts of that moment; null once they are over. */
  watch: { since: Anchor; counts: Record<string, LedgerRow[] | null> } | null
  /** How long requests took, by version; null until they are over, and for ever where nobody could look then. */
  durations: Record<string, Durations> | null
}
