import type { RoutingTable } from '../../src/contracts/routing.ts'
import type { GateWaiter } from '../front/plane.ts'

/** Between the two levels of a change over several workers: closed, and whatever wants an instance waits. */
export class Gate {
  readonly #waiting = new Set<GateWaiter>()
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

  wait(waiting: GateWaiter): void {
    this.#waiting.add(waiting)
  }

  leave(waiting: GateWaiter): void {
    this.#waiting.delete(waiting)
  }

  /** Opens it; answers the table that it was closed for. What waits stays until `release`. */
  open(): RoutingTable | null {
    const table = this.#table
    this.#table = null
    return table
  }

  /** Everybody chooses again, in order of arrival. */
  release(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of waiting) waiter.onGateOpen()
  }

  /** It stays closed, but nobody waits any longer. */
  expire(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of waiting) waiter.expire()
  }
}
