import type { AccessLog } from '../access-log/access-log.ts'
import type { HoldQueue } from '../hold/hold-queue.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { PlaneMetrics } from '../metrics/plane-metrics.ts'
import type { Snapshot } from '../routing/snapshot.ts'
import type { TargetState } from '../routing/target.ts'
import type { TunnelCounts } from '../tunnel/tunnel-counts.ts'

/** What requests share with the worker they run in. */
export interface Plane {
  /** The current table. Read once per choice; a new table is one assignment here. */
  readonly snapshot: Snapshot
  readonly ledger: Ledger
  readonly metrics: PlaneMetrics
  /** null: nothing is written. */
  readonly accessLog: AccessLog | null
  readonly hold: HoldQueue
  readonly tunnels: TunnelCounts
  /** Between the two levels of a commit over several workers: arriving requests wait. */
  readonly gateClosed: boolean
  /** Calls back once the gate is open. False: too many wait, or too many bytes are kept for them. */
  waitAtGate(waiting: GateWaiter, maxCount: number, maxBytes: number): boolean
  /** More is kept for one that may wait there. False: there is no room for further bytes. */
  growAtGate(waiting: GateWaiter, bytes: number, maxBytes: number): boolean
  leaveGate(waiting: GateWaiter): void
  /** The worker is stopping, or the address is closed: answers say `Connection: close`. */
  isClosing(address: string): boolean
  /** Another process serves from now on: connections go over to it between two requests, or end with their next answer. */
  readonly isLeaving: boolean
  /** This worker's part of a bound that all workers of the proxy keep together. */
  shareOf(bound: number): number
  /** This process stood still just now: what is late or was given up may be its own doing. `now` is monotonic. */
  stoodStill(now: number): boolean
  /** One fewer in flight on `target`. */
  onReleased(target: TargetState): void
  /** `target` takes more than it did: whoever waits for it may follow. */
  onRoom(target: TargetState): void
}

export interface GateWaiter {
  /** Bytes kept for it. */
  readonly heldBytes: number
  onGateOpen(): void
  /** The gate stays closed: no more waiting. */
  expire(): void
}
