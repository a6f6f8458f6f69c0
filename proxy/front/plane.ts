import type { RetryBudget } from '../balancing/retry-budget.ts'
import type { HoldQueue } from '../hold/hold-queue.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Snapshot } from '../routing/snapshot.ts'
import type { TargetState } from '../routing/target.ts'
import type { TunnelCounts } from '../tunnel/tunnel-counts.ts'

/** What requests share with the worker they run in. */
export interface Plane {
  /** The current table. Read once per choice; a new table is one assignment here. */
  readonly snapshot: Snapshot
  readonly ledger: Ledger
  readonly budget: RetryBudget
  readonly hold: HoldQueue
  readonly tunnels: TunnelCounts
  /** Between the two levels of a commit over several workers: arriving requests wait. */
  readonly gateClosed: boolean
  /** Calls back once the gate is open. */
  waitAtGate(waiting: GateWaiter): void
  leaveGate(waiting: GateWaiter): void
  /** The worker is stopping, or the address is closed: answers say `Connection: close`. */
  isClosing(address: string): boolean
  /** One fewer in flight on `target`. */
  onReleased(target: TargetState): void
}

export interface GateWaiter {
  onGateOpen(): void
  /** The gate stays closed: no more waiting. */
  expire(): void
}
