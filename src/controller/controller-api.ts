import type { Readable } from 'node:stream'
import type { Accepted, OperationView } from '../contracts/api/operation.ts'
import type { EventView } from '../contracts/api/event.ts'
import type { GcAnswer, PackageAnswer } from '../contracts/api/package.ts'
import type { HealthView } from '../contracts/api/health.ts'
import type { NodeView } from '../contracts/api/node.ts'
import type { ReceiptView } from '../contracts/api/receipt.ts'
import type { RecoveryView } from '../contracts/api/recovery.ts'
import type { ServiceView } from '../contracts/api/service.ts'
import type { PlanView } from '../contracts/api/plan.ts'
import type { MarkView, TrafficSeries, TrafficView } from '../contracts/traffic.ts'
import type { Command } from '../contracts/command.ts'
import type { Reader } from './reader.ts'
import type { HealthReported } from '../fabric/input.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Slot } from '../model/slot.ts'
import type { OperationStatus } from '../model/states.ts'

/**
 * What the controller offers to the admin API. Reading is synchronous, from committed state, and answers null for what
 * is not there. Every refusal is a `VipswapError`; where several things block, `details.blockers` is a list of
 * `{ code, message }`.
 */
export interface ControllerApi extends Reader {
  services(): readonly ServiceView[]
  /** null for an empty slot. */
  health(service: string, slot: Slot): HealthView | null
  /** Resolves once it is durable, with the health that follows from it. */
  reportHealth(report: HealthReported): Promise<HealthView>
  /** Newest first. */
  operations(filter: OperationFilter): readonly OperationView[]
  /** null also while the operation runs. */
  receipt(id: string): ReceiptView | null
  nodes(): readonly NodeView[]

  /** A journal put back after damage, while that is not settled; null: it is whole. */
  recovery(): RecoveryView | null
  /** Goes on with it, durably; answers what is left to do. Rejects with `nothing_to_do`. */
  acceptRecovery(): Promise<RecoveryView | null>

  /** Can this controller serve: journal open, the proxy and at least one agent connected. `reason` is for people. */
  ready(): { readonly ready: boolean; readonly reason: string }

  /**
   * Reads `stream` to its end or destroys it; rejects with `invalid_package`, `package_too_large`, `signature_required` or
   * `signature_invalid`. `signature` is the text of a .minisig file; the same content again may bring another one.
   */
  addPackage(
    stream: Readable,
    kind: 'gzip' | 'zip',
    signature?: string,
  ): Promise<PackageAnswer & { readonly created: boolean }>

  /**
   * Resolves once the operation is durable (not when it is done). The same `idempotencyKey` with the same command
   * answers the operation it made before; with another command it is `idempotency_conflict`.
   */
  submit(command: Command, options: SubmitOptions): Promise<Accepted>
  /** What `submit` would do. Nothing changes; a refusal is an answer here, not an error. */
  plan(command: Command, certificates?: readonly Certificate[]): Promise<PlanView>

  /**
   * The operation when it has ended, or as it is after `timeoutMs`. Rejects with `operation_not_found`.
   * An ended wait (`signal`) resolves with the operation as it is.
   */
  waitOperation(id: string, timeoutMs: number, signal?: AbortSignal): Promise<OperationView>

  /** Resolves when something was journaled after this call, or `signal` was aborted. */
  changed(signal: AbortSignal): Promise<void>

  /**
   * The timeline after event `after` (0: all that is kept; so is a number that this timeline has not reached). What `history` does not hold yet reaches a listener
   * subscribed in the same turn of the loop, each event once and in order.
   */
  events(after: number): EventFeed

  /**
   * Output of an instance: its last `tail` bytes, then with `follow` what it writes until `signal`. Rejects or throws
   * with `instance_not_found`, or `unreachable` where the node is away.
   */
  logs(service: string, slot: Slot, instance: string, options: LogOptions): AsyncIterable<string>

  /** Where one instance listens now; null if it has no such endpoint or does not run. `endpoint` absent: the first. */
  instanceAddress(
    service: string,
    slot: Slot,
    instance: string,
    endpoint?: string,
  ): { readonly host: string; readonly port: number } | null

  /** What was counted since a mark (its name or label), or, null, since the counts begin; leaves a mark to go on from. */
  traffic(service: string, since: string | null): Promise<TrafficView>
  /** Names this moment, durably. At most 50 are kept for each service. */
  mark(service: string, label: string | null): Promise<MarkView>
  marks(service: string): readonly MarkView[]
  /** The last `seconds` one-second points, of those only the ones after number `after`. */
  trafficSeries(service: string, seconds: number, after: number): TrafficSeries

  /** Prometheus text. */
  metrics(): Promise<string>
  /** Removes packages that nothing refers to. */
  gc(): Promise<GcAnswer>
}

export interface SubmitOptions {
  readonly idempotencyKey?: string
  /** Those that the command's configuration stands for by id. */
  readonly certificates?: readonly Certificate[]
  /** Who asks: it stays with the operation. */
  readonly by?: string
  /** Sees what there is just before the command is decided on; throws to refuse it. Not asked of a retry. */
  readonly check?: (now: Reader) => void
}

export interface OperationFilter {
  readonly service?: string
  readonly status?: OperationStatus
  /** At most so many. */
  readonly limit?: number
}

export interface EventFeed {
  /** Whose numbers these are: another data folder has another timeline, whose numbers mean other events. */
  readonly timeline: string
  /** So many events that were asked for are no longer kept; 0 where all that is kept was asked for. */
  readonly missed: number
  readonly history: readonly EventView[]
  /** Calls `listener` for each event after `history`. Returns how to stop. */
  subscribe(listener: (event: EventView) => void): () => void
}

export interface LogOptions {
  readonly tail: number
  readonly follow: boolean
  readonly signal: AbortSignal
}
