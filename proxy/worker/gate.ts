import type { RoutingTable } from '../../src/contracts/routing.ts'
import type { GateWaiter } from '../front/plane.ts'

/** Between the two levels of a change over several workers: closed, and whatever wants an instance waits. */
export class Gate {
  /** With the bytes kept for each. */
  readonly #waiting = new Map<GateWaiter, number>()
  #bytes = 0
  #table: RoutingTable | null = null
  #closedAt = 0

  get closed(): boolean {
    return this.#table !== null
  }

  /** For how long it has been closed at `now` (monotonic milliseconds), 0 while it is open. */
  closedMs(now: number): number {
    return this.#table === null ? 0 : now - this.#closedAt
  }

  /** Closes it until it is known whether `table` becomes current. */
  close(table: RoutingTable): void {
    if (this.#table === null) this.#closedAt = performance.now()
    this.#table = table
  }

  /** False: too many wait, or too many bytes are kept for them. */
  wait(waiting: GateWaiter, maxCount: number, maxBytes: number): boolean {
    if (this.#waiting.has(waiting)) return true
    const bytes = waiting.heldBytes
    if (this.#waiting.size >= maxCount || this.#bytes + bytes > maxBytes) return false
    this.#waiting.set(waiting, bytes)
    this.#bytes += bytes
    return true
  }

  /** More is kept for one that may wait here. False: there is no room for further bytes. */
  grow(waiting: GateWaiter, bytes: number, maxBytes: number): boolean {
    const before = this.#waiting.get(waiting)
    if (before === undefined) return true
    this.#waiting.set(waiting, before + bytes)
    this.#bytes += bytes
    return this.#bytes <= maxBytes
  }

  /** True if it was waiting. */
  leave(waiting: GateWaiter): boolean {
    this.#bytes -= this.#waiting.get(waiting) ?? 0
    return this.#waiting.delete(waiting)
  }

  /** Opens it; answers the table that it was closed for. What waits stays until `release`. */
  open(): RoutingTable | null {
    const table = this.#table
    this.#table = null
    return table
  }

  /** Everybody chooses again, in order of arrival. */
  release(): void {
    // One that goes on may end another, which then must not go on; one may come to wait again.
    const waiting = Array.from(this.#waiting.keys())
    for (const waiter of waiting) if (this.leave(waiter)) waiter.onGateOpen()
  }

  /** It stays closed, but nobody waits any longer. */
  expire(): void {
    const waiting = Array.from(this.#waiting.keys())
    for (const waiter of waiting) if (this.leave(waiter)) waiter.expire()
  }
}
